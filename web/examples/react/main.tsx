import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'livecheck-capture';
import type {} from 'livecheck-capture/react';

function Selfie() {
  const [outcome, setOutcome] = useState('');

  async function send(photo: Blob) {
    const form = new FormData();
    form.append('image', photo, 'selfie.jpg');
    // Your own server: it holds the API key and calls /liveness/.
    const response = await fetch('/selfie', { method: 'POST', body: form });
    setOutcome(response.ok ? 'Thank you.' : 'Please try again.');
  }

  return (
    <>
      <h1>Your selfie</h1>
      <livecheck-capture
        lang="en"
        upload="off"
        onlivecheck-photo={({ detail }) => send(detail.blob)}
        onlivecheck-error={({ detail }) => setOutcome(detail.text)}
      />
      <p role="status">{outcome}</p>
    </>
  );
}

createRoot(document.getElementById('root')!).render(<Selfie />);

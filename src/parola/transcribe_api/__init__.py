"""An endpoint that speaks Amazon Transcribe Streaming, with a local engine behind it."""

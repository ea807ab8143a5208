"""Page that shows a run: in the application over HTTP, in the gallery with the data inside."""

"""`layerloom serve`: a page, made with Gradio, that takes pictures apart and recomposes them while one drags."""

"""Reports that people read, made from `evaluation.results.Report`: Markdown and one self-contained page."""

"""The page's templates, style and script."""

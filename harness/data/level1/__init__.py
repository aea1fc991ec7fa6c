"""Level-1 trigger events in Parquet files, as CMS released them in 2026 (Zenodo 21787779)."""

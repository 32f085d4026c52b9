"""The same edit for many photos: tables, the journal that lets it resume, Ray."""

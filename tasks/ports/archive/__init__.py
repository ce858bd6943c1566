"""The bytes of an archive: tar, gzip, encryption, and the spool that keeps objects out of memory."""

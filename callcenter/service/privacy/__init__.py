"""What the law asks: audit, retention, holds, exports, requests, erasure, keys."""

"""The routes of the challenge server: JSON for programs, pages for people, and for operators."""

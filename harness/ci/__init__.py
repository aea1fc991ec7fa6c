"""From a pull request to the leaderboard: plan, score, comment, publish.

`git` reads a repository without checking anything out, `plan` judges what a pull request changes,
`staging` copies a submission's files from it, `queue` and `scoring` score them, `comment` writes
what the participant reads, `publish` what the public reads. Nothing here belongs to one forge but
`github`, the client that finds a pull request and writes its comment.
"""

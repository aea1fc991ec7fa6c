"""From a pull request to the leaderboard: plan, run, comment, publish, and work on the board.

* Plan: `plan` decides from two commits what is scored, `folders` checks each team's folder, and
  `git` reads the repository without a checkout.
* Run: `intake` makes requests of submissions and has them scored, `queue` distributes them,
  `process` scores one, `staging` copies its files, `ledger` lists the attempts.
* Comment: `artefact` is what a run leaves, `judgement` compares its card with the board, `comment`
  writes the Markdown, `announce` posts it by `github`, the only module that knows a forge.
* Publish: `publish` scores the main branch, `following` writes down what it did to teams, `rescore`
  makes cards again, `private` reaches the organiser's own data, `secrecy` keeps whole cards apart.
* Session: `session` brings the board's branch and publishes its pages, `history` guards it,
  `organise` writes decisions, `opening` opens a private challenge.

`documents` are the files between the steps, `view` shows results in a terminal, and `local` plays
all steps on one machine.
"""

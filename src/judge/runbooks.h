/* runbooks.h - the pages of docs/runbooks for built-in rules, compiled in: what an alert's runbook_url shows.
 */
#pragma once
#include "base/str.h"

struct str runbook_of(struct str alert); /* Markdown; empty when there is none */

/* redact.h - what senders should not have sent, taken out at the door: before the log, before the disk, on
 * every path.
 *
 *     redaction:
 *       hash_key_file: /etc/vedette/redaction.key     else made at first use: <data>/redaction.key
 *       builtin: [email, credit_card, api_key, bearer_token]
 *       rules:
 *         - { name: passwords, keys: ["*password*", authorization], action: drop }
 *         - { name: prompts, keys: ["gen_ai.*.messages"], fields: [attributes], action: keep_numbers }
 *         - { name: cases, pattern: "case-([0-9]+)", action: hash, dry_run: true }
 *
 * A rule has keys or a pattern:
 *   keys      globs (* and ?, any case), against the whole name of an attribute, and within JSON against the
 *             dotted path and against the member's own name. The value under it is the hit.
 *   pattern   RE2, or one of the built-in ones by `builtin: NAME`; every match in a text is a hit, of its
 *             group 1 if it has one. Numbers are looked at as they are written.
 *
 * The field `names` is the attributes' own names, and with `labels` those of labels (not the metric's): keys
 * compare with the whole name, patterns look for matches in it; drop takes the attribute, hash what was hit.
 * A label's name is hashed wholly, hmac_ and 32 hex digits, whatever the action. Built-in patterns look at
 * names unless they are told fields.
 *
 * Text that is JSON (a body, a prompt in an attribute) is looked into like JSON. What is hit is
 *   drop          left out: the attribute, the member, the match
 *   mask          [redacted]
 *   hash          hmac: and 32 hex digits of HMAC-SHA-256 under the key: equal secrets stay equal
 *   keep_numbers  as mask, but numbers and truths stay, so that tokens and costs still count
 * and counted: vedette_redacted_values_total{rule,mode}; with dry_run only that.
 *
 * Rules apply in their order, the later to what the former left. Immutable but for its counters: any thread.
 */
#pragma once
#include "base/yaml.h"
#include "model/batch.h"

struct redact;

/* section: the value of `redaction`; NULL or empty: *out is NULL. data_dir: where the key is when the
 * configuration does not say; NULL: only check, touch no file. */
int redact_new(struct yaml *section, const char *data_dir, struct redact **out, struct err *);
void redact_free(struct redact *);

/* Texts put in live in the arena. NULL does nothing. */
void redact_origin(const struct redact *, struct origin *, struct arena *);
void redact_record(const struct redact *, enum table, struct record *, struct arena *);
/* Labels of series and exemplars, by rules that name the field `labels`. The metric's name stays. */
void redact_batch(const struct redact *, struct batch *);

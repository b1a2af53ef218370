/* redact_impl.h - rules as their files share them: redact_config.c makes them, redact.c goes through records,
 * redact_text.c through texts and JSON. */
#pragma once
#include "base/json.h"
#include "base/regex.h"
#include "base/stat.h"
#include "receive/redact.h"

enum redact_action { REDACT_DROP, REDACT_MASK, REDACT_HASH, REDACT_KEEP_NUMBERS };

enum redact_field {
    REDACT_ATTRIBUTES = 1 << 0,
    REDACT_RESOURCE = 1 << 1,
    REDACT_SCOPE = 1 << 2,
    REDACT_BODY = 1 << 3,
    REDACT_NAME = 1 << 4, /* of a span or an event record */
    REDACT_EVENTS = 1 << 5,
    REDACT_LINKS = 1 << 6,
    REDACT_STATUS = 1 << 7, /* its message; severity text and trace state, too */
    REDACT_LABELS = 1 << 8,
    REDACT_NAMES = 1 << 9, /* of attributes; of labels, too, when both are named */
};
#define REDACT_LABEL_NAMES (REDACT_LABELS | REDACT_NAMES)
#define REDACT_EVERYWHERE  0x3ff
#define REDACT_PRESET      (REDACT_EVERYWHERE & ~(REDACT_LABELS | REDACT_NAMES))
#define REDACT_BUILTIN     (REDACT_EVERYWHERE & ~REDACT_LABELS)

/* The next hit in text at or after `from`; false: none. */
typedef bool redact_finder(struct str text, size_t from, struct str *hit);

struct redact_rule {
    struct str name;
    struct str *keys;
    size_t n_keys;
    struct regex *pattern; /* NULL: keys, or `find` */
    redact_finder *find;
    const char *must_have; /* a text without it has no hit; NULL: look at all */
    enum redact_action action;
    unsigned fields;
    bool dry_run;
    struct stat *hits;
};

#define REDACT_RULES_MAX 256
#define REDACT_KEY_BYTES 32

struct redact {
    struct arena arena;
    struct redact_rule *rules;
    size_t n;
    bool has_keys; /* a rule with keys */
    unsigned fields;
    uint8_t key[REDACT_KEY_BYTES];
};

/* What happens to one value. */
struct redact_at {
    const struct redact *r;
    enum redact_field field;
    struct arena *arena;
    unsigned depth; /* JSON within texts within JSON */
};

/* ---- redact_text.c ---- */

#define REDACTED "[redacted]"

/* What stands for a hit of this rule. */
struct str redact_stand_in(const struct redact *, const struct redact_rule *, struct str hit, struct arena *);
/* "hmac:" and 32 hex digits. */
struct str redact_hashed(const struct redact *, struct str hit, struct arena *);
/* The first rule in force whose keys name it; dry runs are counted. path: dotted; name: its last part. */
const struct redact_rule *redact_key_rule(const struct redact_at *, struct str path, struct str name);
/* Does it hit anything in this name? */
bool redact_hits(const struct redact_rule *, struct str name);
/* The text itself when nothing was hit. path: of the value, for keys within JSON. */
struct str redact_text(const struct redact_at *, struct str path, struct str text);
/* JSON, likewise; text that is no JSON is taken as text. */
struct str redact_json(const struct redact_at *, struct str path, struct str json);
/* All texts within it, numbers stay. */
struct str redact_json_masked(const struct redact_at *, const struct redact_rule *, struct str json);
bool redact_glob(struct str glob, struct str name);

/* ---- redact_builtin.c ---- */

struct redact_builtin {
    const char *name, *pattern, *must_have;
    redact_finder *find;
};
const struct redact_builtin *redact_builtin(struct str name); /* NULL: none of them */
extern const char redact_builtin_names[];

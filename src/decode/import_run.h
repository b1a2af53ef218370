/* import_run.h - what the decoders of import_format.h share: walking a file's values, ids, times. */
#pragma once
#include "decode/import_format.h"
#include "decode/json_value.h"

struct import_run {
    struct record_sink sink;
    struct arena whole; /* texts that outlive a record */
    struct str text;
    const char *at;            /* where the item at hand begins */
    struct attr_list resource; /* scratch for the one of the record at hand */
    struct err *err;
    char place[32];
};

/* One object of the file. Adds its records itself; the reader's failure refuses the object. */
typedef int import_item(struct import_run *, struct json_reader *);

/* Every object of the file: one value, an array of them, or values one after the other. A broken value that
 * is not the first ends at its line, is refused, and reading goes on. */
int import_each(struct str body, const struct record_options *, struct records *out, struct record_report *,
                struct err *, import_item *);

void import_at(struct import_run *, struct json_reader *); /* faults named from now on are here */
/* service.name into `resource`, unless it is there or the name is empty. */
void import_put_service(struct import_run *, struct str name);

/* The next key whose value is not null. */
bool import_field(struct json_reader *, struct str *key);

/* A value to be read later: *later is the reader as it stands before it. */
struct import_later {
    struct json_reader at;
    bool known;
};
void import_postpone(struct json_reader *, struct import_later *);
/* As it was, with its texts in the arena of now; NULL: there was none, or it is of another kind. */
struct json_reader *import_resume(struct import_later *, struct record_sink *, enum json_kind);

/* n bytes out of an id as text; false: empty or all zeros. *exact: the text is nothing but those bytes. */
bool import_id(struct str text, size_t n, uint8_t *out, bool *exact);
/* The same for the record at hand; an id that was not exact is kept as attribute `kept`. */
bool import_put_id(struct record_sink *, struct str text, size_t n, uint8_t *out, const char *kept);
/* An id of content: never all zeros. */
void import_make_id(struct hash128 seed, uint64_t number, size_t n, uint8_t *out);

/* ns since 1970: what time_text.h knows, [seconds, nanoseconds], numbers in floating form. False: none. */
bool import_time(struct json_reader *, int64_t *ns);
/* "PT1H2M3.5S" */
bool import_iso_duration(struct str, int64_t *ns);

/* Every key of the object as an attribute, "prefix.key"; nulls, empty texts and empty containers left out. */
void import_put_all(struct json_reader *, struct record_sink *, struct attr_list *, const char *prefix);
/* The next value as one attribute, under the same rule. */
void import_put(struct json_reader *, struct record_sink *, struct attr_list *, struct str name);
bool import_is_empty(struct json_reader); /* null, "", {}, [] */
/* Does an object of the array have none of these keys, or only empty ones? */
bool import_any_without(struct json_reader array, const char *const *keys, size_t n);

/* "parentObservationId" -> prefix "parent_observation_id" */
struct str import_snake(struct record_sink *, const char *prefix, struct str camel);

/* record_source.h - where a scan of logs or spans finds its rows: the parts of a view and its two heads, cut
 * into pieces.
 *
 * A piece is a block of a part, or some thousand rows of a head's index: what is matched at once. Rows of a
 * piece are numbered in key order. A source is asked by one thread at a time; each scan opens its own, and
 * each thread that helps a scan has a share of it. */
#pragma once
#include "store/view.h"

#define PIECE_ROWS RECORD_BLOCK_ROWS

struct record_source {
    struct record_part *part;   /* a part: */
    struct record_block *block; /* for the pieces; made when needed */
    struct record_block *probe; /* for looking up single traces meanwhile */
    size_t at;                  /* the block that `block` is on; SIZE_MAX: none */

    struct record_index *index; /* or a head: a reference */
    size_t n_chunks;            /* of it those that the view sees */
    int64_t min_ns, max_ns;     /* of these */
    struct record_verdicts *verdicts;

    uint64_t first_bucket, last_bucket;
};

struct record_piece {
    uint32_t source;
    uint32_t block;    /* of a part */
    size_t first, end; /* rows of the index */
    uint64_t first_bucket, last_bucket;
    int64_t min_ns, max_ns; /* of a head: bounds, and perhaps wide ones */
    size_t rows;
};

struct record_id { /* as in struct record_row */
    uint64_t high, low;
};

struct record_sources {
    const struct record_scan *scan; /* &prepared */
    struct record_scan prepared;    /* the caller's, its condition prepared */
    const struct record_id *wanted; /* any match has one of these ids, in order; NULL: any id may match */
    size_t n_wanted;
    const struct record_layout *layout;
    const struct call *call;
    struct call own;        /* of a share */
    bool is_share;          /* sources and pieces are another's */
    int64_t from_ns, to_ns; /* closed; what of the scan's range the view has */
    struct record_source *at;
    size_t n, cap;
    struct record_piece *pieces; /* those that may hold rows of the scan */
    size_t n_pieces, cap_pieces;
    struct arena arena;   /* of the whole scan; its budget is what the call has left */
    struct arena scratch; /* of one piece */
};

int record_sources_open(struct record_sources *, struct view *, struct call *, const struct record_scan *,
                        struct err *);
void record_sources_close(struct record_sources *);
/* The same sources and pieces for another thread, with blocks and memory of its own. Close it before `of`. */
void record_sources_share(struct record_sources *, const struct record_sources *of, size_t budget);
int record_sources_check(struct record_sources *, struct err *); /* call_check, and our own memory */

/* Rows of the piece that match and lie in [from, to]; room for PIECE_ROWS. */
int record_piece_match(struct record_sources *, const struct record_piece *, int64_t from_ns, int64_t to_ns,
                       uint32_t *rows, size_t *n, struct err *);
int record_piece_times(struct record_sources *, const struct record_piece *, const uint32_t *rows, size_t n,
                       int64_t *out, struct err *);
/* out: 16 bytes a row. */
int record_piece_ids(struct record_sources *, const struct record_piece *, const uint32_t *rows, size_t n,
                     uint8_t (*out)[16], struct err *);
/* out[f][i]: field f of row i. Texts live until the source's next piece, or in `a`. */
int record_piece_values(struct record_sources *, const struct record_piece *, const struct field *,
                        size_t n_fields, const uint32_t *rows, size_t n, struct arena *a,
                        struct value *const *out, struct err *e);
int record_piece_records(struct record_sources *, const struct record_piece *, const uint32_t *rows, size_t n,
                         struct arena *a, struct record *out, struct err *);

/* rc is what reading the piece came to: OK when it may be left out (damage_leave_out). */
int record_piece_lost(struct record_sources *, const struct record_piece *, int rc, struct err *);

/* The numbers of the bits that are set, below n; rows has room. */
size_t record_bits_list(const uint64_t *bits, size_t n, uint32_t *rows);

static inline int64_t ns_of_ms(int64_t ms)
{
    return ms > INT64_MAX / 1000000 ? INT64_MAX : ms * 1000000;
}

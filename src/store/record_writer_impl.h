/* record_writer_impl.h - inside of a record writer: record_writer.c and record_copy.c. */
#pragma once
#include "store/page_file.h"
#include "store/record_columns.h"
#include "store/record_writer.h"

struct record_writer {
    struct page_file file;
    struct record_part_head part_head;
    char head[RECORD_HEAD_BYTES]; /* the same as bytes */
    const struct record_layout *layout;
    struct record_part_info info;
    struct record_fields fields;
    struct record_content content;
    struct record_origins origins;
    struct record_columns columns;

    struct record_place place[FILTER_GROUP]; /* of the open group */
    size_t n_places;
    struct filter_builder *filter[FILTER_CLASSES];
    size_t most_hashes[FILTER_CLASSES]; /* of one block of the group */
    struct record_group *group;
    size_t n_groups, groups_cap;

    const struct record_part *copied_from; /* the last content page copied, and its number here */
    uint64_t copied_page, copied_to;
};

/* The block being filled is written; a group that has no room for one more block of n hashes is closed;
 * the block that now stands at place.at belongs to the group. */
int record_writer_flush(struct record_writer *, struct err *);
int record_writer_room(struct record_writer *, const size_t n[FILTER_CLASSES], struct err *);
int record_writer_placed(struct record_writer *, struct record_place place, struct err *);

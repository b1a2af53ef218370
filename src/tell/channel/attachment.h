/* attachment.h - the box of a message at Slack, which Mattermost and others took over: a title, a text,
 * fields, a colour at its side. Shared by their channels. */
#pragma once
#include "base/check.h"
#include "tell/channel/channel_impl.h"

struct attachment_field {
    const char *title, *value;
    bool brief, says_brief; /* says_brief: `short` was given */
};

struct attachment { /* NULL texts: left out */
    const char *color, *title, *title_link, *pretext, *text, *fallback, *footer, *footer_icon, *image_url,
        *thumb_url, *author_name, *author_link, *author_icon;
    struct attachment_field *fields;
    size_t n_fields;
    bool short_fields;
};

/* Of a receiver's own map: what is not given keeps its value. */
void attachment_read(struct reader *, struct yaml *map, struct attachment *);

/* Slack's clients have always been sent text, fallback and footer, empty or not. */
enum attachment_form { ATTACHMENT_TEXTS_ALWAYS, ATTACHMENT_TEXTS_IF_ANY };

/* Into an object that is open. */
void attachment_put(struct channel_send *, struct json_writer *, const struct attachment *, size_t title_max,
                    size_t text_max, enum attachment_form);

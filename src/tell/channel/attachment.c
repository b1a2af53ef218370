/* attachment.c - see attachment.h. */
#include "tell/channel/attachment.h"

static void read_field(struct reader *r, struct yaml *map, struct attachment_field *f)
{
    if (map->kind != YAML_MAP) return read_fail(r, map->line, "fields: expected a map");
    channel_read_template(r, map, "title", &f->title);
    channel_read_template(r, map, "value", &f->value);
    f->says_brief = yaml_get(map, "short") != NULL;
    read_flag(r, map, "short", &f->brief);
    if (f->title == NULL || f->value == NULL) read_fail(r, map->line, "fields: title and value are needed");
}

void attachment_read(struct reader *r, struct yaml *map, struct attachment *a)
{
    const struct {
        const char *key, **to;
    } texts[] = {
        { "color", &a->color },     { "title", &a->title },         { "title_link", &a->title_link },
        { "pretext", &a->pretext }, { "text", &a->text },           { "fallback", &a->fallback },
        { "footer", &a->footer },   { "image_url", &a->image_url }, { "thumb_url", &a->thumb_url },
    };
    for (size_t i = 0; i < COUNT(texts); i++) channel_read_template(r, map, texts[i].key, texts[i].to);
    read_flag(r, map, "short_fields", &a->short_fields);
    struct yaml *fields = read_list(r, map, "fields");
    if (fields == NULL) return;
    a->fields = arena_zero(r->arena, (fields->n + 1) * sizeof *a->fields);
    a->n_fields = 0;
    for (size_t i = 0; i < fields->n && r->rc == OK; i++)
        read_field(r, fields->items[i], &a->fields[a->n_fields++]);
}

static void put_fields(struct channel_send *s, struct json_writer *w, const struct attachment *a)
{
    if (a->n_fields == 0) return;
    json_put_key(w, STR("fields"));
    json_begin_array(w);
    for (size_t i = 0; i < a->n_fields; i++) {
        json_begin_object(w);
        channel_put(s, w, "title", a->fields[i].title);
        channel_put(s, w, "value", a->fields[i].value);
        json_kv_bool(w, "short", a->fields[i].says_brief ? a->fields[i].brief : a->short_fields);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_text(struct json_writer *w, const char *key, struct str text, bool always)
{
    if (text.n > 0 || always) json_kv_string(w, key, text);
}

void attachment_put(struct channel_send *s, struct json_writer *w, const struct attachment *a,
                    size_t title_max, size_t text_max, enum attachment_form form)
{
    bool always = form == ATTACHMENT_TEXTS_ALWAYS;
    put_text(w, "title", channel_cut(&s->arena, channel_text(s, a->title), title_max), false);
    channel_put(s, w, "title_link", a->title_link);
    channel_put(s, w, "pretext", a->pretext);
    put_text(w, "text", channel_cut(&s->arena, channel_text(s, a->text), text_max), always);
    put_text(w, "fallback", channel_text(s, a->fallback), always);
    channel_put(s, w, "author_name", a->author_name);
    channel_put(s, w, "author_link", a->author_link);
    channel_put(s, w, "author_icon", a->author_icon);
    put_fields(s, w, a);
    channel_put(s, w, "image_url", a->image_url);
    channel_put(s, w, "thumb_url", a->thumb_url);
    put_text(w, "footer", channel_text(s, a->footer), always);
    channel_put(s, w, "footer_icon", a->footer_icon);
    channel_put(s, w, "color", a->color);
}

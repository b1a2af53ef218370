/* Templates of notifications and what is made of them: run as a text and as a page over an alert whose values
 * are the input's, then put into a mail. Input: a template, a zero byte, a value. */
#include "base/check.h"
#include "tell/channel/channel.h"
#include "tell/channel/mime.h"
#include "tell/channel/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No value may open a tag: the template is our own, so each < must be ours. */
static void page_is_safe(struct str value, const struct notification *n, struct arena *a)
{
    struct buf out = BUF_INIT(1 << 20);
    struct tvalue seen = notify_template_data(n, 0, a);
    static const char text[] =
        "<p title=\"{{ .CommonLabels.v }}\">{{ .CommonLabels.v }}</p><a href='{{ .CommonLabels.v }}'>";
    if (notify_template_run(NULL, str_of(text), seen, 0, true, a, &out, NULL) == OK && value.n > 0) {
        size_t opens = 0, quotes = 0;
        for (size_t i = 0; i < out.n; i++) {
            opens += out.p[i] == '<';
            quotes += out.p[i] == '"' || out.p[i] == '\'';
        }
        check(opens == 3 && quotes == 4);
    }
    buf_release(&out);
}

static void mail_is_safe(struct str value, struct arena *a)
{
    struct buf out = BUF_INIT(1 << 20);
    const char **addresses;
    size_t n, lines = 0;
    mime_header(&out, "Subject", value);
    mime_address_header(&out, "To", value);
    for (size_t i = 0; i + 1 < out.n; i++) /* a line that is not folded would be another header */
        lines += out.p[i] == '\n' && out.p[i + 1] != ' ';
    check(lines == 1);
    mime_quoted(&out, value);
    if (mime_addresses(value, a, &addresses, &n, NULL) == OK)
        for (size_t i = 0; i < n; i++) check(strpbrk(addresses[i], "\r\n<> ") == NULL);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(8 << 20);
    struct str rest, text = str_cut(str_make(data, size), 0, &rest);
    struct label pair = { STR("v"), rest };
    struct labels labels = { &pair, 1 };
    struct alert alert = { .labels = labels, .annotations = labels, .starts_ms = 1, .generator_url = rest };
    struct notification n = { .receiver = rest,
                              .group_labels = labels,
                              .common_labels = labels,
                              .alerts = &alert,
                              .n = 1,
                              .now_ms = 5 };
    struct tvalue seen = notify_template_data(&n, 0, &a);
    for (int html = 0; html < 2; html++) {
        struct buf out = BUF_INIT(1 << 16);
        struct err e = ERR_INIT;
        if (notify_template_run(NULL, text, seen, 0, html, &a, &out, &e) < 0) check(e.text[0] != 0);
        buf_release(&out);
    }
    page_is_safe(rest, &n, &a);
    mail_is_safe(rest, &a);
    arena_release(&a);
    return 0;
}

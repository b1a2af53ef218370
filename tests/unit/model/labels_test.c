#include "model/labels.h"

#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);
static struct err e;

/* The wire, written by hand: field 1 of TimeSeries, holding Label{1: name, 2: value}. */
static void put_label(struct buf *out, struct str name, struct str value)
{
    struct buf label = BUF_INIT(1 << 20);
    buf_u8(&label, 0x0a), buf_varint(&label, name.n), buf_str(&label, name);
    buf_u8(&label, 0x12), buf_varint(&label, value.n), buf_str(&label, value);
    buf_u8(out, 0x0a), buf_varint(out, label.n), buf_str(out, buf_view(&label));
    buf_release(&label);
}

static int from_proto(struct str raw, struct labels *out)
{
    e = (struct err)ERR_INIT;
    arena_reset(&arena);
    return labels_from(LABELS_PROTO, raw, &arena, out, &e);
}

static const char *printed(struct labels l)
{
    static struct buf b = BUF_INIT(1 << 20);
    buf_clear(&b);
    labels_print(&b, l);
    return buf_cstr(&b);
}

TEST(labels_from_the_wire_in_any_order)
{
    struct buf b = BUF_INIT(1 << 20);
    struct labels l;
    put_label(&b, STR("job"), STR("x"));
    put_label(&b, STR("empty"), STR(""));
    put_label(&b, STR("__name__"), STR("up"));
    put_label(&b, STR("a\xc3\xa9"), STR("\xe2\x82\xac"));
    EXPECT(from_proto(buf_view(&b), &l) == OK);
    EXPECT_STR(printed(l), "up{\"a\xc3\xa9\"=\"\xe2\x82\xac\", job=\"x\"}");
    EXPECT(l.n == 3 && l.at[2].name.p > b.p && l.at[2].name.p < b.p + b.n); /* borrowed, not copied */
    buf_release(&b);
}

TEST(labels_refusals_name_metric_and_label)
{
    static const struct {
        struct str name, value;
        const char *why;
    } bad[] = {
        { STR("job"), STR("y"), "metric \"up\", label \"job\": duplicate label name" },
        { STR(""), STR("y"), "label name is empty" },
        { STR("a\xff"), STR("y"), "metric \"up\", label \"a\\xff\": the label name is not valid UTF-8" },
        { STR("a"), STR("\xc3"), "metric \"up\", label \"a\": the label value is not valid UTF-8" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = BUF_INIT(1 << 20);
        struct labels l;
        put_label(&b, STR("__name__"), STR("up"));
        put_label(&b, STR("job"), STR("x"));
        put_label(&b, bad[i].name, bad[i].value);
        EXPECT(from_proto(buf_view(&b), &l) == ERR_RANGE);
        if (strstr(e.text, bad[i].why) == NULL) printf("%s\n", e.text);
        EXPECT(strstr(e.text, bad[i].why) != NULL);
        buf_release(&b);
    }
    struct labels l;
    EXPECT(from_proto(STR(""), &l) == ERR_RANGE);
}

static int with_labels(int n, size_t name_bytes, size_t value_bytes)
{
    struct buf b = BUF_INIT(4 << 20);
    struct labels l;
    char *text = malloc(name_bytes + value_bytes + 8);
    memset(text, 'x', name_bytes + value_bytes + 8);
    put_label(&b, STR("__name__"), STR("m"));
    for (int i = 1; i < n; i++) {
        int head = snprintf(text, 8, "n%05d", i);
        text[head] = 'x';
        put_label(&b, str_make(text, name_bytes), str_make(text, value_bytes));
    }
    int rc = from_proto(buf_view(&b), &l);
    free(text);
    buf_release(&b);
    return rc;
}

TEST(labels_ceilings_hold)
{
    EXPECT(with_labels(LABELS_MAX, 10, 10) == OK);
    EXPECT(with_labels(LABELS_MAX + 1, 10, 10) == ERR_RANGE && strstr(e.text, "too many labels") != NULL);
    EXPECT(with_labels(2, LABEL_NAME_MAX, 10) == OK && with_labels(2, LABEL_NAME_MAX + 1, 10) == ERR_RANGE);
    EXPECT(with_labels(2, 10, LABEL_VALUE_MAX) == OK && with_labels(2, 10, LABEL_VALUE_MAX + 1) == ERR_RANGE);
}

static enum reject reason_of(struct str name, struct str value)
{
    struct buf b = BUF_INIT(4 << 20);
    put_label(&b, STR("__name__"), STR("m"));
    put_label(&b, name, value);
    enum reject reason = labels_reject(LABELS_PROTO, buf_view(&b));
    buf_release(&b);
    return reason;
}

TEST(labels_refusals_have_their_reasons)
{
    static char many[LABEL_VALUE_MAX + 1];
    memset(many, 'x', sizeof many);
    EXPECT_INT(reason_of(STR("__name__"), STR("n")), REJECT_labels); /* twice */
    EXPECT_INT(reason_of(STR(""), STR("x")), REJECT_labels);
    EXPECT_INT(reason_of(STR("a"), STR("\xff")), REJECT_utf8);
    EXPECT_INT(reason_of(STR("\xc3("), STR("x")), REJECT_utf8);
    EXPECT_INT(reason_of(str_make(many, LABEL_NAME_MAX + 1), STR("x")), REJECT_label_limit);
    EXPECT_INT(reason_of(STR("a"), str_make(many, sizeof many)), REJECT_label_limit);
    EXPECT_INT(labels_reject(LABELS_PROTO, STR("")), REJECT_labels);
    EXPECT_INT(labels_reject(LABELS_PROTO, STR("\x0a\x05")), REJECT_labels); /* cut off */

    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i <= LABELS_MAX; i++) put_label(&b, STR("a"), STR("x"));
    EXPECT_INT(labels_reject(LABELS_PROTO, buf_view(&b)), REJECT_label_limit);
    buf_release(&b);
}

TEST(labels_wire_bytes_are_taken_strictly)
{
    struct buf b = BUF_INIT(1 << 20);
    struct labels l;
    put_label(&b, STR("__name__"), STR("up"));
    put_label(&b, STR("job"), STR("x"));
    size_t first = 2 + 2 + 8 + 2 + 2; /* bytes of the first label */
    for (size_t n = 1; n < b.n; n++)
        if (n != first) EXPECT(from_proto(str_make(b.p, n), &l) == ERR_PARSE);
    EXPECT(from_proto(str_make(b.p, first), &l) == OK && l.n == 1);
    EXPECT(from_proto(STR("\x12\x00"), &l) == ERR_PARSE); /* not field 1 */
    EXPECT(from_proto(STR("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &l) == ERR_PARSE);
    EXPECT(from_proto(STR("\x0a\x02\x0a\x05"), &l) == ERR_PARSE); /* a name longer than its label */
    EXPECT(from_proto(STR("\x0a\x01\x00"), &l) == ERR_PARSE);     /* field number 0 */
    EXPECT(from_proto(STR("\x0a\x01\x0b"), &l) == ERR_PARSE);     /* a group */
    /* Fields that are not ours are skipped: varint 3, fixed64 4, bytes 5, fixed32 6; the last name counts. */
    EXPECT(from_proto(STR("\x0a\x1d\x18\x96\x01\x21"
                          "12345678"
                          "\x2a\x01z\x35"
                          "1234"
                          "\x0a\x01z\x0a\x01"
                          "a\x12\x01"
                          "b"),
                      &l) == OK);
    EXPECT(l.n == 1 && str_is(l.at[0].name, "a") && str_is(l.at[0].value, "b"));
    buf_release(&b);
}

TEST(labels_pack_and_unpack_are_inverse)
{
    char *long_value = malloc(LABEL_VALUE_MAX);
    memset(long_value, 'v', LABEL_VALUE_MAX);
    for (size_t n = 0; n <= LABEL_VALUE_MAX; n = n * 2 + 1) {
        struct label pairs[] = { { STR("__name__"), STR("up") },
                                 { STR("value"), str_make(long_value, n ? n : 1) } };
        struct labels l = { pairs, 2 }, back;
        struct buf b = BUF_INIT(1 << 20);
        labels_pack(&b, l);
        EXPECT(labels_eq(labels_unpack(buf_view(&b), &arena), l));
        EXPECT(labels_unpack_checked(buf_view(&b), &arena, &back, NULL) == OK && labels_eq(back, l));
        EXPECT(labels_from(LABELS_PACKED, buf_view(&b), &arena, &back, NULL) == OK && labels_eq(back, l));
        EXPECT(hash128_eq(labels_id(l), labels_packed_id(buf_view(&b))));
        buf_release(&b);
    }
    free(long_value);
}

TEST(labels_packed_bytes_are_documented)
{
    struct label pairs[] = { { STR("a"), STR("bc") }, { STR("d"), STR("e") } };
    struct buf b = BUF_INIT(100);
    labels_pack(&b, (struct labels){ pairs, 2 });
    EXPECT(str_eq(buf_view(&b), STR("\x01"
                                    "a\x02"
                                    "bc\x01"
                                    "d\x01"
                                    "e")));
    buf_release(&b);
}

TEST(labels_damaged_packed_bytes_are_corrupt)
{
    struct labels l;
    static const struct str bad[] = {
        STR("\x01"), /* cut */
        STR("\x01"
            "a"), /* no value */
        STR("\x01"
            "a\x05"
            "b"), /* too long a value */
        STR("\x81\x00"
            "a\x01"
            "b"), /* a varint that is not the shortest */
        STR("\x01"
            "a\x00"), /* empty value */
        STR("\x00\x01"
            "b"), /* empty name */
        STR("\x01"
            "b\x01"
            "x\x01"
            "a\x01"
            "y"), /* not in order */
        STR("\x01"
            "a\x01"
            "x\x01"
            "a\x01"
            "y"), /* twice */
        STR("\x01"
            "a\x01\xff"), /* not UTF-8 */
        STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e = (struct err)ERR_INIT;
        EXPECT(labels_unpack_checked(bad[i], &arena, &l, &e) == ERR_CORRUPT && e.code == ERR_CORRUPT);
        EXPECT(labels_unpack_checked(bad[i], &arena, &l, NULL) == ERR_CORRUPT);
    }
}

TEST(labels_compare_pair_by_pair)
{
    struct label a[] = { { STR("a"), STR("1") }, { STR("b"), STR("1") } };
    struct label b[] = { { STR("a"), STR("1") }, { STR("b"), STR("2") } };
    struct label c[] = { { STR("a"), STR("1") }, { STR("c"), STR("0") } };
    EXPECT(labels_cmp((struct labels){ a, 2 }, (struct labels){ b, 2 }) < 0);
    EXPECT(labels_cmp((struct labels){ c, 2 }, (struct labels){ b, 2 }) > 0); /* names before values */
    EXPECT(labels_cmp((struct labels){ a, 1 }, (struct labels){ a, 2 }) < 0);
    EXPECT(labels_cmp((struct labels){ a, 2 }, (struct labels){ a, 2 }) == 0);
    EXPECT(str_is(labels_get((struct labels){ b, 2 }, "b"), "2") &&
           labels_get((struct labels){ b, 2 }, "x").n == 0);
    EXPECT(!labels_eq((struct labels){ a, 2 }, (struct labels){ b, 2 }) &&
           !labels_eq((struct labels){ a, 1 }, (struct labels){ a, 2 }));
}

TEST(labels_print_as_promql_writes_them)
{
    struct label up[] = { { STR("__name__"), STR("up") } };
    EXPECT_STR(printed((struct labels){ up, 1 }), "up");
    struct label quoted[] = { { STR("__name__"), STR("odd name") },
                              { STR("odd.label"), STR("a\"\\\n\x01") } };
    EXPECT_STR(printed((struct labels){ quoted, 2 }), "{\"odd name\", \"odd.label\"=\"a\\\"\\\\\\n\\x01\"}");
    EXPECT_STR(printed((struct labels){ quoted, 1 }), "{\"odd name\"}");
    struct label bare[] = { { STR("a"), STR("1") } };
    EXPECT_STR(printed((struct labels){ bare, 1 }), "{a=\"1\"}");
    EXPECT_STR(printed((struct labels){ NULL, 0 }), "{}");
}

TEST(labels_plain_names)
{
    EXPECT(metric_name_is_plain(STR("a:b_9")) && metric_name_is_plain(STR(":")) &&
           !metric_name_is_plain(STR("9a")));
    EXPECT(label_name_is_plain(STR("_a9")) && !label_name_is_plain(STR("a:b")) &&
           !label_name_is_plain(STR("")));
    EXPECT(!label_name_is_plain(STR("a\xc3\xa9")) && !metric_name_is_plain(STR("a.b")));
}

TESTS(CASE(labels_from_the_wire_in_any_order), CASE(labels_refusals_name_metric_and_label),
      CASE(labels_ceilings_hold), CASE(labels_refusals_have_their_reasons),
      CASE(labels_wire_bytes_are_taken_strictly), CASE(labels_pack_and_unpack_are_inverse),
      CASE(labels_packed_bytes_are_documented), CASE(labels_damaged_packed_bytes_are_corrupt),
      CASE(labels_compare_pair_by_pair), CASE(labels_print_as_promql_writes_them), CASE(labels_plain_names))

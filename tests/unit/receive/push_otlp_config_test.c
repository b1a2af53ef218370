#include "receive/push_otlp_config.h"

#include "unit/test.h"

static struct arena arena = ARENA_INIT(1 << 20);
static struct otlp_options options;
static struct err err;

static int read(const char *text)
{
    struct yaml *root;
    err = (struct err)ERR_INIT;
    assert_int_equal(yaml_parse(str_of(text), "test.yml", &arena, &root, &err), OK);
    int rc = push_otlp_config(yaml_get(root, "otlp"), &arena, &options, &err);
    return rc < 0 ? rc : yaml_unknown(root, "test.yml", &err);
}

TEST(presets)
{
    EXPECT_INT(read("{}"), OK);
    EXPECT(options.strategy == OTLP_UNDERSCORE_WITH_SUFFIXES && !options.no_scope_labels &&
           options.n_promote == 0);
}

TEST(a_section_as_prometheus_has_it)
{
    EXPECT_INT(read("otlp:\n  translation_strategy: NoTranslation\n  promote_resource_attributes: [a.b, c]\n"
                    "  keep_identifying_resource_attributes: true\n  promote_scope_metadata: false\n  "
                    "convert_histograms_to_nhcb: false\n"),
               OK);
    EXPECT(options.strategy == OTLP_NO_TRANSLATION && options.keep_identifying && options.no_scope_labels);
    EXPECT(options.n_promote == 2 && !options.promote_all);
    EXPECT(str_is(options.promote[0], "a.b") && str_is(options.promote[1], "c"));

    EXPECT_INT(read("otlp: {promote_all_resource_attributes: true, ignore_resource_attributes: [pid]}"), OK);
    EXPECT(options.promote_all && options.n_promote == 1 && str_is(options.promote[0], "pid"));
}

TEST(mistakes_name_their_line)
{
    EXPECT_INT(read("otlp:\n  translation_strategy: Nothing\n"), ERR_RANGE);
    EXPECT(strstr(err.text, "line 2") != NULL && strstr(err.text, "\"Nothing\"") != NULL);
    EXPECT_INT(read("otlp:\n  promote_resource_attributes: a\n"), ERR_PARSE);
    EXPECT(read("otlp:\n  promote_scope_metadata: [1]\n") < 0);
    EXPECT_INT(read("otlp: {promote_all_resource_attributes: true, promote_resource_attributes: [a]}"),
               ERR_RANGE);
    EXPECT_INT(read("otlp: {ignore_resource_attributes: [a]}"), ERR_RANGE);
    EXPECT_INT(read("otlp: {convert_histograms_to_nhcb: true}"), ERR_UNSUPPORTED);
    EXPECT_INT(read("otlp: {label_name_preserve_multiple_underscores: false}"), ERR_UNSUPPORTED);
    EXPECT(read("otlp: [a]") < 0);
    EXPECT(read("otlp: {no_such_key: 1}") < 0);
}

TESTS(CASE(presets), CASE(a_section_as_prometheus_has_it), CASE(mistakes_name_their_line))

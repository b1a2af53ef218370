/* html.h - values of a template on their way into a page: escaped by where they stand, so that a label can be
 * no tag, no attribute and no script.
 *
 * The template's own text is followed to know the place: text, an attribute's value (of which some are
 * addresses), a script, a comment. As html/template of Go does, in less detail: where a value cannot be made
 * safe it becomes ZgotmplZ, the word its users know.
 *
 * Threads: a printer is one run's. */
#pragma once
#include "query/template.h"

enum html_place {
    HTML_TEXT,
    HTML_TAG,      /* between < and >, outside of an attribute's value */
    HTML_BEFORE,   /* after = */
    HTML_DOUBLE,   /* in "" */
    HTML_SINGLE,   /* in '' */
    HTML_UNQUOTED, /* a value without quotes */
    HTML_COMMENT,
    HTML_SCRIPT, /* between <script> and its end; also <style> */
};

enum html_attribute { HTML_PLAIN, HTML_ADDRESS, HTML_CODE };

struct html_printer {
    enum html_place place;
    enum html_attribute attribute; /* of the value we are in */
    bool begun, asks;              /* of an address: something stands there already; a ? or # was among it */
    char word[16];                 /* the last name, lower case: of a tag or an attribute */
    size_t word_n;
    char tag[16];   /* the tag we are in */
    bool names_tag; /* the word is a tag's */
    char tail[16];  /* the last bytes of a comment or script */
    char quote;     /* of a script: the string we are in */
};

/* {0} is a page's beginning. The two functions of a struct template_printer. */
void html_text(void *printer, struct buf *out, struct str);
void html_value(void *printer, struct buf *out, struct tvalue);
void html_escape(struct buf *out, struct str);

/* An audit for other programs: JUnit for what runs tests, CSV for what makes tables. */
#include "cmd/audit_report.h"
#include "report/csv.h"
#include "report/format.h"

#include <inttypes.h>
#include <string.h>

/* ---- JUnit ---- */

/* XML 1.0 has no other control characters, not even escaped. */
static void print_xml(const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", stdout);
            break;
        case '>':
            fputs("&gt;", stdout);
            break;
        case '&':
            fputs("&amp;", stdout);
            break;
        case '"':
            fputs("&quot;", stdout);
            break;
        default:
            putchar((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '?' : *text);
        }
}

static bool fails(const tf_audit_view *view, const tf_finding *finding)
{
    return finding && finding->severity >= view->fail_on;
}

static size_t count_failures(const tf_audit_view *view)
{
    size_t n = 0;
    for (size_t i = 0; i < view->audit->findings_count; i++)
        n += fails(view, &view->audit->findings[i]);
    return n;
}

static void print_case(const tf_audit_view *view, const tf_audit_row *row)
{
    const tf_finding *finding = tf_audit_report_finding(view->audit, row);
    const char *element = fails(view, finding) ? "failure" : "system-out";
    char count[TF_TERMS_TEXT];
    printf("    <testcase classname=\"%s.%s\" name=\"%s\"", view->audit->migration->id, row->check->group, row->check->name);
    if (row->state == TF_AUDIT_SKIPPED) {
        fputs(">\n      <skipped message=\"", stdout);
        print_xml(row->reason);
        fputs("\"/>\n    </testcase>\n", stdout);
        return;
    }
    if (!finding) {
        fputs("/>\n", stdout);
        return;
    }
    printf(">\n      <%s", element);
    if (fails(view, finding))
        printf(" type=\"%s\" message=\"%s\"", tf_severity_name(finding->severity),
               tf_audit_report_count(&view->terms, row->check, finding->count, count));
    putchar('>');
    printf("%s, %s, finding %s\n", tf_severity_name(finding->severity),
           tf_audit_report_count(&view->terms, row->check, finding->count, count), finding->id);
    print_xml(row->check->advice ? row->check->advice : "");
    printf("</%s>\n    </testcase>\n", element);
}

void tf_audit_report_junit(const tf_audit_view *view)
{
    const tf_audit *audit = view->audit;
    char time[TF_FORMAT_MAX], seconds[TF_FORMAT_MAX];
    tf_format_real((double)audit->elapsed_ms / 1000, 3, seconds);
    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"tokenfix audit\" tests=\"%zu\" failures=\"%zu\" "
           "errors=\"0\" skipped=\"%zu\" time=\"%s\" timestamp=\"%s\">\n",
           audit->total, count_failures(view), audit->skipped, seconds, tf_format_time(audit->at, time));
    for (size_t i = 0; i < audit->total; i++)
        print_case(view, &audit->rows[i]);
    fputs("  </testsuite>\n</testsuites>\n", stdout);
}

/* ---- CSV ---- */

static void print_field(const char *text, bool last)
{
    tf_csv_field(stdout, text, last);
}

void tf_audit_report_csv(const tf_audit_view *view)
{
    fputs("check,group,state,severity,count,amount,id,reason,advice\r\n", stdout);
    for (size_t i = 0; i < view->audit->total; i++) {
        const tf_audit_row *row = &view->audit->rows[i];
        const tf_finding *finding = tf_audit_report_finding(view->audit, row);
        print_field(row->check->name, false);
        print_field(row->check->group, false);
        print_field(tf_audit_state_name(row->state), false);
        print_field(finding ? tf_severity_name(finding->severity) : "", false);
        printf("%" PRId64 ",", finding ? finding->count : 0);
        if (finding && finding->has_amount)
            printf("%" PRId64, finding->amount);
        putchar(',');
        print_field(finding ? finding->id : "", false);
        print_field(row->reason, false);
        print_field(finding && row->check->advice ? row->check->advice : "", true);
    }
}

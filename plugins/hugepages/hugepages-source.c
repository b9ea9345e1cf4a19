/* SPDX-License-Identifier: Apache-2.0 */
/* The hugepages source: memory in huge pages of one size, per NUMA node. Changes nothing on the
 * host: pages are set aside by the administrator
 * (https://docs.kernel.org/admin-guide/mm/hugetlbpage.html). */
#include <libvirt-provider/source.h>
#include <string.h>

#define MEMORY "memory"
#define PAGES "hugepages"
#define KIB 1024
#define MIB 1048576
#define NODES "devices/system/node"
#define SIZES "kernel/mm/hugepages"
#define SIZE_PREFIX "hugepages-"

#define SIZE_OPTION "hugepages-size"
#define BLOCKED_OPTION "blocked-hugepages"

typedef struct {
    LvpSourceContext *context;
    LvpHost *host;
    gint64 n_blocked;
    gint64 page_bytes;
} HugepagesSource;

static const LvpOptionRow OPTIONS[] = {
    {SIZE_OPTION, LVP_OPTION_QUANTITY, "0",
     "size of the huge pages to give away, such as 2Mi or 1Gi; 0: the kernel's default"},
    {BLOCKED_OPTION, LVP_OPTION_INTEGER, "0", "huge pages that the host keeps for itself"},
    {NULL},
};

static void
validate(const LvpOptions *options, LvpDiagnostics *diagnostics)
{
    gint64 bytes = lvp_options_get_integer(options, SIZE_OPTION);
    /* libvirt gives a guest whole mebibytes. */
    if (bytes % MIB != 0 || (bytes & (bytes - 1)) != 0)
        lvp_options_report(options, SIZE_OPTION, diagnostics,
                           "must be a size of pages such as 2Mi or 1Gi, but is %s",
                           lvp_options_get_string(options, SIZE_OPTION));
    gint64 n_blocked = lvp_options_get_integer(options, BLOCKED_OPTION);
    if (n_blocked < 0)
        lvp_options_report(options, BLOCKED_OPTION, diagnostics,
                           "must not be negative, but is %" G_GINT64_FORMAT, n_blocked);
}

/* ---- the size of its pages ---- */

/* The bytes of the line "Hugepagesize: N kB"; 0 where there is none. */
static gint64
read_default_size(LvpHost *host)
{
    g_autofree char *text = lvp_host_read_text(host, LVP_HOST_PROC, "meminfo", NULL);
    const char *label = text ? strstr(text, "Hugepagesize:") : NULL;
    guint64 kib = label ? g_ascii_strtoull(label + strlen("Hugepagesize:"), NULL, 10) : 0;
    return kib < G_MAXINT64 / KIB ? (gint64)kib * KIB : 0;
}

/* "2Mi, 1Gi", or "none"; g_free(). */
static char *
list_sizes(LvpHost *host)
{
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, SIZES, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; names && names[i]; i++) {
        if (!g_str_has_prefix(names[i], SIZE_PREFIX))
            continue;
        guint64 kib = g_ascii_strtoull(names[i] + strlen(SIZE_PREFIX), NULL, 10);
        g_autofree char *size = lvp_quantity_format(MEMORY, (gint64)MIN(kib, G_MAXINT32) * KIB);
        g_string_append_printf(text, "%s%s", text->len ? ", " : "", size);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static gboolean
check_size(const HugepagesSource *self, GError **error)
{
    g_autofree char *folder =
        g_strdup_printf(SIZES "/" SIZE_PREFIX "%" G_GINT64_FORMAT "kB", self->page_bytes / KIB);
    if (self->page_bytes > 0 && lvp_host_exists(self->host, LVP_HOST_SYS, folder))
        return TRUE;
    g_autofree char *size = lvp_quantity_format(MEMORY, self->page_bytes);
    g_autofree char *sizes = list_sizes(self->host);
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "the kernel has no huge pages of %s; it has: %s (see " SIZE_OPTION ")", size,
                sizes[0] ? sizes : "none");
    return FALSE;
}

static gpointer
create(LvpSourceContext *context, GError **error)
{
    const LvpOptions *options = lvp_source_context_get_options(context);
    g_autofree HugepagesSource *self = g_new0(HugepagesSource, 1);
    self->context = context;
    self->host = lvp_source_context_get_host(context);
    self->n_blocked = lvp_options_get_integer(options, BLOCKED_OPTION);
    self->page_bytes = lvp_options_get_integer(options, SIZE_OPTION);
    if (self->page_bytes == 0)
        self->page_bytes = read_default_size(self->host);
    return check_size(self, error) ? g_steal_pointer(&self) : NULL;
}

/* ---- what there is ---- */

/* FOLDER is that of a node, or "kernel/mm". A node without memory has no pages of any size. */
static gboolean
read_pages(const HugepagesSource *self, const char *folder, gint64 *ret_pages, GError **error)
{
    char value[LVP_HOST_VALUE_SIZE];
    g_autofree char *pages = g_strdup_printf("%s/hugepages/" SIZE_PREFIX "%" G_GINT64_FORMAT "kB",
                                             folder, self->page_bytes / KIB);
    *ret_pages = 0;
    if (!lvp_host_exists(self->host, LVP_HOST_SYS, pages))
        return TRUE;
    g_autofree char *path = g_strconcat(pages, "/nr_hugepages", NULL);
    guint64 number;
    if (lvp_host_read_value(self->host, LVP_HOST_SYS, path, value, sizeof value) > 0 &&
        g_ascii_string_to_unsigned(value, 10, 0, (guint64)(G_MAXINT64 / self->page_bytes), &number,
                                   NULL)) {
        *ret_pages = (gint64)number;
        return TRUE;
    }
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "%s is no number of pages", path);
    return FALSE;
}

/* COUNTS: gint64, the pages of each of NODES; with none there, those of the host. */
static gboolean
read_counts(const HugepagesSource *self, const GArray *nodes, GArray *counts, GError **error)
{
    gint64 count;
    for (guint i = 0; i < nodes->len; i++) {
        g_autofree char *folder = g_strdup_printf(NODES "/node%d", g_array_index(nodes, int, i));
        if (!read_pages(self, folder, &count, error))
            return FALSE;
        g_array_append_val(counts, count);
    }
    if (nodes->len > 0)
        return TRUE;
    if (!read_pages(self, "kernel/mm", &count, error)) /* a kernel without NUMA */
        return FALSE;
    g_array_append_val(counts, count);
    return TRUE;
}

/* QEMU gets its pages from a file system, which libvirt has to find when it starts. OPTION is that
 * of the mount, as the kernel shows it. */
static gboolean
is_mounted(LvpHost *host, const char *option)
{
    g_autofree char *mounts = lvp_host_read_text(host, LVP_HOST_PROC, "mounts", NULL);
    g_auto(GStrv) lines = g_strsplit(mounts ? mounts : "", "\n", -1);
    for (char **line = lines; *line; line++)
        if (strstr(*line, " hugetlbfs ") && strstr(*line, option))
            return TRUE;
    return FALSE;
}

static void
report_health(const HugepagesSource *self, gint64 n_pages)
{
    g_autofree char *size = lvp_quantity_format(MEMORY, self->page_bytes);
    g_autofree char *option =
        g_strdup_printf("pagesize=%" G_GINT64_FORMAT "M", self->page_bytes / MIB);
    g_autofree char *text = NULL;
    if (n_pages == 0)
        text = g_strdup_printf("the host has set no huge pages of %s aside: see vm.nr_hugepages, "
                               "or hugepages= of the kernel",
                               size);
    else if (!is_mounted(self->host, option))
        text = g_strdup_printf("no hugetlbfs with pages of %s is mounted: mount one with %s, and "
                               "restart libvirtd",
                               size, option);
    lvp_source_context_set_health(self->context, text);
}

static gboolean
discover(gpointer data,
         LvpDiscoverFlags flags,
         LvpSnapshot *snapshot,
         GCancellable *cancellable,
         GError **error)
{
    (void)flags;
    (void)cancellable;
    const HugepagesSource *self = data;
    g_autoptr(GArray) nodes = lvp_host_list_nodes(self->host);
    g_autoptr(GArray) counts = g_array_new(FALSE, FALSE, sizeof(gint64));
    gint64 total = 0;
    if (!read_counts(self, nodes, counts, error))
        return FALSE;
    for (guint i = 0; i < counts->len; i++)
        total += g_array_index(counts, gint64, i);
    report_health(self, total);
    /* Pages may be set aside later: what is blocked beyond what there is leaves none. */
    lvp_amounts_keep((gint64 *)(gpointer)counts->data, counts->len, MIN(self->n_blocked, total));
    for (guint i = 0; i < counts->len; i++) {
        int node = nodes->len > 0 ? g_array_index(nodes, int, i) : LVP_NODE_NONE;
        gint64 count = g_array_index(counts, gint64, i);
        lvp_snapshot_add_amount(snapshot, PAGES, node, count);
        lvp_snapshot_add_amount(snapshot, MEMORY, node, count * self->page_bytes);
    }
    return TRUE;
}

/* ---- requests ---- */

static gint64
round_up(gint64 amount, gint64 unit)
{
    return amount / unit + (amount % unit > 0);
}

/* What is asked for in bytes and in pages is the same memory: the larger counts, in whole pages. */
static gboolean
normalize(gpointer data, LvpRequest *request, GError **error)
{
    const HugepagesSource *self = data;
    gint64 n_pages = MAX(round_up(lvp_request_get_amount(request, MEMORY), self->page_bytes),
                         lvp_request_get_amount(request, PAGES));
    if (n_pages == 0 || n_pages > G_MAXINT64 / self->page_bytes) {
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    n_pages == 0 ? "names no memory: add memory to its capabilities, such as "
                                   "memory: 1Gi"
                                 : "asks for more memory than can be counted");
        return FALSE;
    }
    lvp_request_set_amount(request, PAGES, n_pages);
    lvp_request_set_amount(request, MEMORY, n_pages * self->page_bytes);
    return TRUE;
}

/* ---- the domain ---- */

/* "0,2", or NULL where the pages belong to no node; g_free(). */
static char *
list_held_nodes(const LvpHolding *holding)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < lvp_holding_get_n_amounts(holding); i++) {
        int node = lvp_holding_get_amount_node(holding, i);
        if (node != LVP_NODE_NONE &&
            strcmp(lvp_holding_get_amount_resource(holding, i), PAGES) == 0)
            g_string_append_printf(text, "%s%d", text->len ? "," : "", node);
    }
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)record;
    (void)error;
    static const char *const ELEMENTS[] = {"memory", "currentMemory"};
    const HugepagesSource *self = data;
    g_autofree char *size = g_strdup_printf("%" G_GINT64_FORMAT, self->page_bytes / KIB);
    g_autofree char *memory =
        g_strdup_printf("%" G_GINT64_FORMAT, lvp_holding_get_amount(holding, MEMORY) / KIB);
    g_autofree char *nodes = list_held_nodes(holding);
    for (guint i = 0; i < G_N_ELEMENTS(ELEMENTS); i++) {
        lvp_domain_part_set_text(part, ELEMENTS[i], memory);
        lvp_domain_part_set_attribute(part, ELEMENTS[i], "unit", "KiB");
    }
    lvp_domain_part_remove(part, "memoryBacking/hugepages");
    lvp_domain_part_set_attribute(part, "memoryBacking/hugepages/page", "size", size);
    lvp_domain_part_set_attribute(part, "memoryBacking/hugepages/page", "unit", "KiB");
    if (nodes) {
        lvp_domain_part_set_attribute(part, "numatune/memory", "mode", "strict");
        lvp_domain_part_set_attribute(part, "numatune/memory", "nodeset", nodes);
    }
    return TRUE;
}

LVP_SOURCE_DEFINE(.name = "hugepages",
                  .version = LVP_VERSION,
                  .description = "memory in huge pages, in bytes and pages per NUMA node",
                  .options = OPTIONS,
                  .validate = validate,
                  .create = create,
                  .destroy = g_free,
                  .discover = discover,
                  .normalize = normalize,
                  .contribute_xml = contribute_xml, )

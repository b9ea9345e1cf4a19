/* SPDX-License-Identifier: Apache-2.0 */
/* The memory source: MemTotal per NUMA node less what the host keeps. Touches nothing on the host.
 */
#include <libvirt-provider/source.h>
#include <string.h>

#define RESOURCE "memory"
#define KIB 1024
#define MIB 1048576
#define NODES "devices/system/node"

typedef struct {
    LvpHost *host;
    gint64 reserved_bytes;
} MemorySource;

static const LvpOptionRow OPTIONS[] = {
    {"reserved-memory-size", LVP_OPTION_QUANTITY, "0",
     "memory that the host keeps for itself, such as 4Gi"},
    {NULL},
};

static gpointer
create(LvpSourceContext *context, GError **error)
{
    (void)error;
    MemorySource *self = g_new0(MemorySource, 1);
    self->host = lvp_source_context_get_host(context);
    self->reserved_bytes =
        lvp_options_get_integer(lvp_source_context_get_options(context), "reserved-memory-size");
    return self;
}

/* The bytes of the line "... MemTotal: N kB"; -1 where there is none. */
static gint64
find_total(const char *text)
{
    const char *label = strstr(text, "MemTotal:");
    if (!label)
        return -1;
    char *end = NULL;
    const char *digits = label + strlen("MemTotal:");
    guint64 kib = g_ascii_strtoull(digits, &end, 10);
    if (end == digits || kib > G_MAXINT64 / KIB || !g_str_has_prefix(end, " kB"))
        return -1;
    return (gint64)kib * KIB;
}

static gboolean
read_total(LvpHost *host, LvpHostTree tree, const char *path, gint64 *ret_bytes, GError **error)
{
    g_autofree char *text = lvp_host_read_text(host, tree, path, error);
    if (!text)
        return FALSE;
    *ret_bytes = find_total(text);
    if (*ret_bytes >= 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_HOST, "%s has no MemTotal", path);
    return FALSE;
}

/* SIZES: gint64, the bytes of each of NODES; with none there, those of the host. */
static gboolean
read_sizes(const MemorySource *self, const GArray *nodes, GArray *sizes, GError **error)
{
    gint64 bytes;
    for (guint i = 0; i < nodes->len; i++) {
        g_autofree char *path =
            g_strdup_printf(NODES "/node%d/meminfo", g_array_index(nodes, int, i));
        if (!read_total(self->host, LVP_HOST_SYS, path, &bytes, error))
            return FALSE;
        g_array_append_val(sizes, bytes);
    }
    if (nodes->len > 0)
        return TRUE;
    if (!read_total(self->host, LVP_HOST_PROC, "meminfo", &bytes, error))
        return FALSE;
    g_array_append_val(sizes, bytes);
    return TRUE;
}

/* FALSE where the sum is too large, as of no host that exists. */
static gboolean
sum_up(const GArray *sizes, gint64 *ret_total, GError **error)
{
    gint64 total = 0;
    for (guint i = 0; i < sizes->len; i++) {
        gint64 bytes = g_array_index(sizes, gint64, i);
        if (bytes > G_MAXINT64 - total) {
            g_set_error(error, LVP_ERROR, LVP_ERROR_HOST,
                        "the memory of all nodes is more than can be counted");
            return FALSE;
        }
        total += bytes;
    }
    *ret_total = total;
    return TRUE;
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
    const MemorySource *self = data;
    g_autoptr(GArray) nodes = lvp_host_list_nodes(self->host);
    g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(gint64));
    gint64 total;
    if (!read_sizes(self, nodes, sizes, error) || !sum_up(sizes, &total, error))
        return FALSE;
    if (self->reserved_bytes > total) {
        g_autofree char *has = lvp_quantity_format(RESOURCE, total);
        g_autofree char *kept = lvp_quantity_format(RESOURCE, self->reserved_bytes);
        g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                    "reserved-memory-size is %s, but the host has only %s", kept, has);
        return FALSE;
    }
    lvp_amounts_keep((gint64 *)(gpointer)sizes->data, sizes->len, self->reserved_bytes);
    for (guint i = 0; i < sizes->len; i++)
        lvp_snapshot_add_amount(snapshot, RESOURCE,
                                nodes->len > 0 ? g_array_index(nodes, int, i) : LVP_NODE_NONE,
                                g_array_index(sizes, gint64, i));
    return TRUE;
}

/* How much memory a guest needs is not ours to guess. libvirt gives a guest of QEMU whole mebibytes
 * (https://libvirt.org/formatdomain.html#memory-allocation), so that is what is counted. */
static gboolean
normalize(gpointer data, LvpRequest *request, GError **error)
{
    (void)data;
    gint64 bytes = lvp_request_get_amount(request, RESOURCE);
    gint64 rest = bytes % MIB;
    if (rest > 0)
        lvp_request_set_amount(request, RESOURCE,
                               bytes > G_MAXINT64 - MIB ? G_MAXINT64 : bytes + MIB - rest);
    if (bytes > 0)
        return TRUE;
    g_set_error(error, LVP_ERROR, LVP_ERROR_INVALID_REQUEST,
                "names no memory: add memory to its capabilities, such as memory: 1Gi");
    return FALSE;
}

static gboolean
contribute_xml(
    gpointer data, const LvpHolding *holding, GVariant *record, LvpDomainPart *part, GError **error)
{
    (void)data;
    (void)record;
    (void)error;
    static const char *const ELEMENTS[] = {"memory", "currentMemory"};
    gint64 bytes = lvp_holding_get_amount(holding, RESOURCE);
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, bytes / KIB + (bytes % KIB > 0));
    for (guint i = 0; i < G_N_ELEMENTS(ELEMENTS); i++) {
        lvp_domain_part_set_text(part, ELEMENTS[i], text);
        lvp_domain_part_set_attribute(part, ELEMENTS[i], "unit", "KiB");
    }
    return TRUE;
}

LVP_SOURCE_DEFINE(.name = "memory",
                  .version = LVP_VERSION,
                  .description = "memory of the host, in bytes per NUMA node",
                  .options = OPTIONS,
                  .create = create,
                  .destroy = g_free,
                  .discover = discover,
                  .normalize = normalize,
                  .contribute_xml = contribute_xml, )

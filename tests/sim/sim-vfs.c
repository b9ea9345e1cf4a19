/* SPDX-License-Identifier: Apache-2.0 */
/* The disk as SQLite sees it. */
#include "sim-node.h"

#include <sqlite3.h>
#include <string.h>

#define SECTOR_BYTES 4096

typedef struct {
    sqlite3_file base;
    SimNode *node;
    gboolean exempt;
    gboolean remove; /* on close */
    int lock;
} File;

/* ---- answers ---- */

static SimFateKind
begin(const File *file, SimKind kind)
{
    return file->exempt ? SIM_GO : sim_fate_begin(sim_disk->fate, kind);
}

static int
end(const File *file, int code)
{
    return !file->exempt && sim_fate_end(sim_disk->fate) ? SQLITE_IOERR : code;
}

static gboolean
is_dead(const File *file)
{
    return !file->exempt && sim_disk->fate->dead;
}

/* EIO or ENOSPC; some of the write may have come to the disk. */
static int
fail_write(const File *file, const void *buffer, int amount, sqlite3_int64 offset)
{
    int written = g_rand_boolean(sim_disk->fate->random)
                      ? g_rand_int_range(sim_disk->fate->random, 0, amount)
                      : 0;
    if (written > 0)
        sim_node_put(file->node, (SimPending){(gsize)offset, g_bytes_new(buffer, (gsize)written)});
    return g_rand_boolean(sim_disk->fate->random) ? SQLITE_IOERR_WRITE : SQLITE_FULL;
}

/* ---- one file ---- */

static int
file_close(sqlite3_file *base)
{
    File *file = (File *)base;
    if (--file->node->n_open == 0)
        sim_node_drop_shm(file->node);
    if (file->lock != SQLITE_LOCK_NONE)
        file->node->n_shared--;
    if (file->remove && file->node->n_open == 0)
        g_hash_table_remove(sim_disk->nodes, file->node->name);
    return SQLITE_OK;
}

static int
file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset)
{
    const File *file = (File *)base;
    if (begin(file, SIM_DISK_READ) != SIM_GO)
        return SQLITE_IOERR_READ;
    const GByteArray *data = file->node->data;
    gsize at = (gsize)offset, wanted = (gsize)amount;
    gsize there = at < data->len ? MIN(wanted, data->len - at) : 0;
    if (there > 0)
        memcpy(buffer, data->data + at, there);
    memset((char *)buffer + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset)
{
    File *file = (File *)base;
    switch (begin(file, SIM_DISK)) {
    case SIM_DEAD:
        return SQLITE_IOERR_WRITE;
    case SIM_FAIL:
    case SIM_LIE:
    case SIM_HANG:
        return fail_write(file, buffer, amount, offset);
    case SIM_GO:
    case SIM_N_FATES:
        break;
    }
    sim_node_put(file->node, (SimPending){(gsize)offset, g_bytes_new(buffer, (gsize)amount)});
    return end(file, SQLITE_OK);
}

static int
file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    File *file = (File *)base;
    if (begin(file, SIM_DISK) != SIM_GO)
        return SQLITE_IOERR_TRUNCATE;
    sim_node_put(file->node, (SimPending){(gsize)size, NULL});
    return end(file, SQLITE_OK);
}

static int
file_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    const File *file = (File *)base;
    SimFateKind fate = begin(file, SIM_DISK);
    if (fate == SIM_DEAD)
        return SQLITE_IOERR_FSYNC;
    sim_node_sync(file->node, fate == SIM_GO);
    return fate == SIM_GO ? end(file, SQLITE_OK) : SQLITE_IOERR_FSYNC;
}

static int
file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    const File *file = (File *)base;
    *size = file->node->data->len;
    return is_dead(file) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int
file_lock(sqlite3_file *base, int level)
{
    File *file = (File *)base;
    if (level <= file->lock)
        return SQLITE_OK;
    guint others = file->node->n_shared - (file->lock != SQLITE_LOCK_NONE ? 1 : 0);
    if (level == SQLITE_LOCK_EXCLUSIVE && others > 0)
        return SQLITE_BUSY;
    if (file->lock == SQLITE_LOCK_NONE)
        file->node->n_shared++;
    file->lock = level;
    return SQLITE_OK;
}

static int
file_unlock(sqlite3_file *base, int level)
{
    File *file = (File *)base;
    if (level >= file->lock)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_NONE)
        file->node->n_shared--;
    file->lock = level;
    return SQLITE_OK;
}

static int
file_check_reserved(sqlite3_file *base, int *result)
{
    (void)base;
    *result = 0;
    return SQLITE_OK;
}

static int
file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int
file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR_BYTES;
}

static int
file_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as the VFS for Unix says of every disk */
}

static int
file_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret_memory)
{
    const File *file = (File *)base;
    if (region >= SIM_NODE_SHM_MAX || is_dead(file))
        return SQLITE_IOERR_SHMMAP;
    void **memory = &file->node->shm[region];
    if (!*memory && extend)
        *memory = g_malloc0((gsize)size);
    *ret_memory = *memory;
    return SQLITE_OK;
}

/* Nobody waits for anybody: there is one thread. */
static int
file_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    (void)base, (void)offset, (void)n, (void)flags;
    return SQLITE_OK;
}

static void
file_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int
file_shm_unmap(sqlite3_file *base, int remove)
{
    (void)base, (void)remove;
    return SQLITE_OK;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS ---- */

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
    File *file = (File *)base;
    *file = (File){.exempt = vfs->pAppData != NULL, .remove = (flags & SQLITE_OPEN_DELETEONCLOSE)};
    if (is_dead(file) || (!name && !(flags & SQLITE_OPEN_DELETEONCLOSE)) ||
        (name && !(flags & SQLITE_OPEN_CREATE) && !g_hash_table_contains(sim_disk->nodes, name)))
        return SQLITE_CANTOPEN;
    if (begin(file, SIM_DISK) != SIM_GO)
        return SQLITE_CANTOPEN;
    file->base.pMethods = &METHODS;
    file->node = sim_disk_get_node(sim_disk, name ? name : "temporary");
    file->node->n_open++;
    if (ret_flags)
        *ret_flags = flags;
    return end(file, SQLITE_OK);
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)sync_folder;
    const File file = {.exempt = vfs->pAppData != NULL};
    if (begin(&file, SIM_DISK) != SIM_GO)
        return SQLITE_IOERR_DELETE;
    return end(&file,
               g_hash_table_remove(sim_disk->nodes, name) ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT);
}

static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs, (void)flags;
    *result = g_hash_table_contains(sim_disk->nodes, name);
    return SQLITE_OK;
}

static int
vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *path)
{
    (void)vfs;
    g_strlcpy(path, name, (gsize)size);
    return SQLITE_OK;
}

static int
vfs_randomness(sqlite3_vfs *vfs, int size, char *bytes)
{
    (void)vfs;
    for (int i = 0; i < size; i++)
        bytes[i] = (char)(i * 37 + 11);
    return size;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int
vfs_time(sqlite3_vfs *vfs, double *day)
{
    (void)vfs;
    *day = 2460000.5;
    return SQLITE_OK;
}

static int
vfs_last_error(sqlite3_vfs *vfs, int size, char *text)
{
    (void)vfs, (void)size, (void)text;
    return 0;
}

static sqlite3_vfs
make_vfs(const char *name, gboolean exempt)
{
    return (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(File),
        .mxPathname = 512,
        .zName = name,
        .pAppData = exempt ? &sim_disk : NULL,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
}

void
sim_vfs_register(void)
{
    static sqlite3_vfs vfs, check_vfs;
    if (vfs.zName)
        return;
    vfs = make_vfs("sim", FALSE);
    check_vfs = make_vfs(SIM_DISK_CHECK_VFS, TRUE);
    sqlite3_vfs_register(&vfs, 1);
    sqlite3_vfs_register(&check_vfs, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VITRINE_BASE_LIMITS_H
#define VITRINE_BASE_LIMITS_H

/* Every cap of the project, each with its reason. */
#include <stdint.h>

/* An image reference: no path can be longer (PATH_MAX), and a registry reference is far
 * shorter. Checked before anything is copied (compare CVE-2026-65108). */
#define LIMIT_IMAGE_REF 4096

/* A line and a file of vitrine.conf: thousands of partitions fit, a device node or a log
 * file given by mistake is refused early. */
#define LIMIT_CONFIG_LINE 8192
#define LIMIT_CONFIG_SIZE (1024 * 1024)

/* PATH as handed to the tasks; execve(2) itself refuses a string over 128 KiB. */
#define LIMIT_PATH_ENV 32768

/* One string of an environment, "NAME=VALUE" with its NUL: execve(2) refuses a longer one
 * (MAX_ARG_STRLEN, 32 pages), and a task whose environment holds it cannot start. */
#define LIMIT_ENV_STRING 131072

/* All changes of a task's environment together: with 8 MiB of stack execve(2) takes 2 MiB
 * of arguments and environment, 6 MiB at most; a longer file is none of ours. */
#define LIMIT_ENV_CHANGES (8UL * 1024 * 1024)

/* What an image says of itself. The largest known, of NVIDIA's, have 90 variables in 6
 * KiB; with these caps a hostile one takes of execve's 2 MiB, and of our memory, little.
 * What is above them is passed over. */
#define LIMIT_META_VARS  4096
#define LIMIT_META_BYTES (256UL * 1024)
/* One of its files, and the words of its entry point, its command, its volumes. */
#define LIMIT_META_FILE  (256UL * 1024)
#define LIMIT_META_WORDS 4096
/* Scripts of an Apptainer image: its tools write 8. */
#define LIMIT_META_SCRIPTS 64
/* ${A:-${B:-...}}: each level is one of recursion, people write two. */
#define LIMIT_META_NESTING 16

/* Host paths that one container shows: mounts of the host, home, working directory. */
#define LIMIT_BINDS 4096

/* The text of --container-mounts, and how many mounts it may ask for: an environment
 * holds it beside other things in 128 KiB, and each mount costs every step its time. */
#define LIMIT_MOUNTS        65536
#define LIMIT_MOUNT_ENTRIES 256

/* Symbolic links followed while a host mount point is resolved, as in the kernel. */
#define LIMIT_SYMLINKS 40

/* One generated file (passwd, group, hosts): a site's whole passwd may be in an image. */
#define LIMIT_ETC_FILE (8UL * 1024 * 1024)

/* The kernel takes an id map of less than one page in one write. */
#define LIMIT_ID_MAP 4095

/* Lines of an id map: the kernel's own limit (UID_GID_MAP_MAX_EXTENTS,
 * user_namespaces(7)).
 */
#define LIMIT_ID_MAP_LINES 340

/* Ranges of subordinate ids that one user has: useradd(8) gives one. */
#define LIMIT_SUBIDS 32

/* SIF descriptors: the format's own default is 48, its tools allow more; a table of this
 * size is 2.3 MiB and read in one go. */
#define LIMIT_SIF_DESCRIPTORS 4096

/* Entries and depth of a tree that is saved: a hostile image can say any number in a few
 * bytes. Twenty times the largest image we know of; PATH_MAX cannot name what is deeper.
 */
#define LIMIT_SAVE_ENTRIES 50000000
#define LIMIT_SAVE_DEPTH   2048

/* HTTP. A header of an answer: signed URLs and tokens take 4 KiB, nothing needs more. */
#define LIMIT_HTTP_HEADERS 65536
#define LIMIT_HTTP_URL     8192
/* What is kept of the body of an error, one JSON object with a sentence, and read more.
 */
#define LIMIT_HTTP_ERROR   16384
#define LIMIT_HTTP_DROPPED (1024UL * 1024)
/* As browsers do twice: a registry needs two. */
#define LIMIT_HTTP_REDIRECTS 10
/* Failures in a row, without LIMIT_HTTP_PROGRESS bytes in between: with pauses of 0.5 s
 * that double, half a minute, in which a server starts again. Who is not there at all is
 * not waited for that long. */
#define LIMIT_HTTP_TRIES    7
#define LIMIT_HTTP_CONNECTS 3
#define LIMIT_HTTP_PROGRESS 65536
/* Pauses, in ms. Longer ones that Retry-After asks for are made up to LIMIT_RETRY_AFTER
 * seconds: Docker Hub's quota, which can take hours, is better told to the user. */
#define LIMIT_HTTP_PAUSE  16000
#define LIMIT_RETRY_AFTER 120
/* Slower than so many bytes a second for LIMIT_HTTP_PATIENCE is as good as broken off: a
 * server that drips could hold an import for a day. */
#define LIMIT_HTTP_SPEED 1024L
/* Of a connection with TLS, and without any data: in ms. */
#define LIMIT_HTTP_CONNECT  15000
#define LIMIT_HTTP_PATIENCE 30000

/* Layers are fetched in parts of so many bytes, by so many threads, into so many buffers:
 * 56 MiB. A part costs a round trip or two, which 8 MiB hide even at 100 MB/s on each
 * connection; blob stores give 25 to 100 MB/s on one. */
#define LIMIT_FETCH_PART    (8UL * 1024 * 1024)
#define LIMIT_FETCH_THREADS 5
#define LIMIT_FETCH_WINDOW  7

/* A bearer token's document: JSON Web Tokens with many scopes have 4 to 8 KiB. */
#define LIMIT_TOKEN 65536

/* A JSON document from a registry: those of the distribution specification accept
 * manifests of 4 MiB. Its values take up to 0.7 KiB of memory each; LIMIT_LAYERS layers
 * with annotations need a third of these. The formats need a depth of 5. */
#define LIMIT_JSON_SIZE   (4UL * 1024 * 1024)
#define LIMIT_JSON_VALUES 100000
#define LIMIT_JSON_DEPTH  32

/* A file with credentials, what a helper answers, and how long it may take: it may ask a
 * server for a token, but nobody will type a pass phrase. */
#define LIMIT_CREDENTIALS (1024L * 1024)
#define LIMIT_HELPER      65536
#define LIMIT_HELPER_MS   30000L
/* A word of a netrc file: tokens and keys of service accounts have up to 4 KiB. */
#define LIMIT_NETRC_WORD 16384

/* Layers of an image: Docker builds 127 at most. Entries of an index: one for each
 * platform, and one for what attests it; the largest known have 50. */
#define LIMIT_LAYERS        1024
#define LIMIT_INDEX_ENTRIES 1024

/* An archive of docker save: entries, of which there are four for a layer, and images;
 * and what a tar header says of names beside PATH_MAX. */
#define LIMIT_ARCHIVE_ENTRIES 65536
#define LIMIT_ARCHIVE_HEADER  65536UL
#define LIMIT_ARCHIVE_IMAGES  1024

/* One layer, as it is stored: more than any file server would hand out; so many of these
 * do not overflow 64 bits. */
#define LIMIT_LAYER_SIZE (1ULL << 50)

/* How long it counts that a registry gave an image to a user, who then gets it from a
 * cache of all users without a request: a job may wait in a queue for days, and runs on
 * nodes from which the registry may not be reached. Whoever loses his right to an image
 * keeps it as long, as he would a copy. */
#define LIMIT_GRANT_S (INT64_C(7) * 24 * 3600)

/* A lease is for a job, and few sites let jobs run longer; a longer one would let a user
 * fill a cache of all users for good. */
#define LIMIT_LEASE_S (INT64_C(60) * 24 * 3600)

/* What the cache remembers: nodes of a step start within minutes, but a prolog may take
 * hours; what an index says never changes, but who asks again after a month? */
#define LIMIT_STEP_RECORD_S  (INT64_C(24) * 3600)
#define LIMIT_INDEX_RECORD_S (INT64_C(30) * 24 * 3600)
/* A failure is passed on to the step's other nodes, which start together, and not to a
 * user who has mended something and tries again. */
#define LIMIT_FAILURE_RECORD_S 60

/* Nobody works at anything in the cache for so long without changing its time. */
#define LIMIT_STORE_IDLE_S 3600

/* A window of zstd, as a power of two: 128 MiB is the most that zstd(1) makes without
 * being told to (--ultra -22), and unpacks without being told to. */
#define LIMIT_ZSTD_WINDOW_LOG 27

/* What all layers of an image unpack to. The largest images, with models of AI inside,
 * have 100 GB; a bomb of 500 MB ends here after minutes, having used no memory. */
#define LIMIT_IMPORT_BYTES (UINT64_C(512) << 30)
/* The same with holes of sparse files, each block of which takes 4 bytes of metadata: a
 * lastlog of large user ids has 300 GB. */
#define LIMIT_IMPORT_APPARENT (UINT64_C(16) << 40)
/* Entries of all layers, and directories that only names of others tell. Eight times the
 * largest image we know of; each takes up to 400 bytes of memory. */
#define LIMIT_IMPORT_ENTRIES 4000000
/* Bytes of their names, and of their attributes: 256 for each of so many. */
#define LIMIT_IMPORT_NAMES  (UINT64_C(1) << 30)
#define LIMIT_IMPORT_XATTRS (UINT64_C(256) << 20)
/* All that an archive says of one entry (names, attributes, the map of a sparse file), of
 * which libarchive keeps up to eight times as much in memory. */
#define LIMIT_IMPORT_HEADER (16UL << 20)
/* Names that are looked at to merge the layers: 25 for each entry. Links that lead
 * through links, and a directory that is emptied again and again, would take hours. */
#define LIMIT_IMPORT_STEPS 100000000
/* Layers: Docker makes 127 at most. */
#define LIMIT_IMPORT_LAYERS 4096
/* Directories in each other: PATH_MAX cannot name what is deeper. */
#define LIMIT_IMPORT_DEPTH 2048

#endif

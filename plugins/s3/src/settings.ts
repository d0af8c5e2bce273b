import { defineSettings } from '@stackbk/contract'

/** Classes from which nothing can be read at once would make every sync fail at its first look. */
const storageClass = { matches: '^(?!GLACIER$|DEEP_ARCHIVE$)[A-Z0-9_]+$', inWords: 'a storage class that can be read at once, such as STANDARD_IA or GLACIER_IR' }

export const settings = defineSettings([
  { section: 'plugin:s3', key: 'ENDPOINT', type: 'string', pattern: { matches: '^https?://[^\\s/@?#]+/?$', inWords: 'an address such as https://s3.example.net, without a path' }, help: "address of the server; Amazon's own if not given" },
  { section: 'plugin:s3', key: 'REGION', type: 'string', default: 'us-east-1', pattern: { matches: '^[A-Za-z0-9-]+$', inWords: 'the name of a region' }, help: 'region of the bucket' },
  { section: 'plugin:s3', key: 'BUCKET', type: 'string', role: 'location', required: true, pattern: { matches: '^[A-Za-z0-9][A-Za-z0-9._-]+$', inWords: 'the name of a bucket' }, help: 'name of the bucket, which must be there' },
  { section: 'plugin:s3', key: 'PREFIX', type: 'string', role: 'location', default: 'restic', help: 'folder in the bucket; / for none' },
  { section: 'plugin:s3', key: 'FORCE_PATH_STYLE', type: 'boolean', help: 'the bucket in the path of the address and not in the name of the host; true where ENDPOINT is given' },
  { section: 'plugin:s3', key: 'ACCESS_KEY_ID', type: 'string', help: 'name of the access key; without it the environment, ~/.aws and the machine itself are asked, as by every AWS tool' },
  { section: 'plugin:s3', key: 'SECRET_FILE', type: 'path', credential: true, oneOf: 'secret', help: 'file with the secret of the access key alone, or with ACCESS_KEY_ID:SECRET' },
  { section: 'plugin:s3', key: 'SECRET_ACCESS_KEY', type: 'string', secret: true, oneOf: 'secret', help: 'secret of the access key' },
  { section: 'plugin:s3', key: 'STORAGE_CLASS', type: 'string', pattern: storageClass, help: "storage class of what is uploaded; the bucket's own if not given" },
  { section: 'plugin:s3', key: 'OBJECT_LOCK_MODE', type: 'choice', choices: ['none', 'governance', 'compliance'], default: 'none', help: 'protection of what is uploaded; the bucket must have been made with object lock' },
  { section: 'plugin:s3', key: 'OBJECT_LOCK_DAYS', type: 'integer', default: 30, range: { min: 1, max: 36_500 }, help: 'days for which what is uploaded cannot be destroyed' },
  { section: 'plugin:s3', key: 'PART_SIZE', type: 'integer', default: 32, range: { min: 5, max: 5120 }, help: 'MiB; larger files go up in parts of this size, of which TRANSFERS are in memory at once' },
  { section: 'cloud_sync', key: 'TRANSFERS', aliases: ['RCLONE_TRANSFERS'], type: 'integer', default: 4, range: { min: 1, max: 64 }, help: 'files transferred at the same time' },
  { section: 'cloud_sync', key: 'BANDWIDTH', aliases: ['RCLONE_BANDWIDTH'], type: 'string', help: 'bandwidth limit as rclone writes it, such as 10M or "08:00,512k 23:00,off"; unlimited if not given' },
])

import { answered, failed, plainFolder, type Answer, type SettingValues } from '@stackbk/contract'


/** Where the files go. */
export interface Place {
  /** `null`: Amazon's own. */
  readonly endpoint: string | null
  readonly region: string
  readonly bucket: string
  /** Before every key, with the slash at its end; empty for the root of the bucket. */
  readonly prefix: string
  /** The bucket in the path of the address, and not in the name of the host. */
  readonly isPathStyle: boolean
}

export function placeOf(values: SettingValues): Answer<Place> {
  const bucket = textOf(values['BUCKET'])
  if (bucket === null) return failed({ kind: 'configuration', message: 'BUCKET is not set', fix: 'Set BUCKET in [plugin:s3] to the name of a bucket' })
  const prefix = plainFolder(textOf(values['PREFIX']) ?? '')
  if (prefix.split('/').some((part) => part === '.' || part === '..' || (part === '' && prefix !== ''))) {
    return failed({ kind: 'configuration', message: `PREFIX is no folder in a bucket: ${prefix}`, fix: 'Set PREFIX in [plugin:s3] to a name such as backup/restic' })
  }
  const endpoint = textOf(values['ENDPOINT'])?.replace(/\/+$/, '') ?? null
  const isPathStyle = values['FORCE_PATH_STYLE']
  return answered({
    endpoint,
    region: textOf(values['REGION']) ?? 'us-east-1',
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    isPathStyle: typeof isPathStyle === 'boolean' ? isPathStyle : endpoint !== null,
  })
}

/** For people: `s3:bucket/restic at https://s3.example.net`. Empty where none is configured. */
export function locationOf(place: Answer<Place>): string {
  return place.ok ? addressOf(place.value) : ''
}

export function addressOf({ endpoint, bucket, prefix }: Place, path = ''): string {
  const at = `s3:${bucket}/${prefix}${path}`.replace(/\/$/, '')
  return endpoint === null ? at : `${at} at ${endpoint}`
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null
}

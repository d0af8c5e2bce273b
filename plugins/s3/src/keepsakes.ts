import { answered, Secret, shellWord, type Answer, type Keepsake, type SettingValues } from '@stackbk/contract'

import type { Bucket } from './bucket.js'
import { accessKeyOf, isKeyConfigured } from './credentials.js'
import type { Place } from './place.js'

/** Its name in the disaster kit. */
const fileName = 's3-access-key'

/**
 * The access key, in one file: `ACCESS_KEY_ID:SECRET`, as SECRET_FILE takes it. Also where only the environment or `~/.aws` of
 * this host has it; not one that this machine is lent for an hour, which would open nothing on the day it is needed.
 */
export async function keepsakes(bucket: Bucket, values: SettingValues): Promise<Answer<readonly Keepsake[]>> {
  if (isKeyConfigured(values)) {
    const key = await accessKeyOf(values)
    return key.ok ? answered([kept(key.value.id, key.value.secret.reveal())]) : key
  }
  const found = await bucket.client.config.credentials().catch(() => null)
  if (found === null || found.sessionToken !== undefined) return answered([])
  return answered([kept(found.accessKeyId, found.secretAccessKey)])
}

function kept(id: string, secret: string): Keepsake {
  return { name: fileName, content: new Secret(`${id}:${secret}\n`), setting: { section: 'plugin:s3', key: 'SECRET_FILE' }, place: null }
}

/** See `Transport.byHand`: with the AWS command line, which reads the access key from the environment. */
export function byHand(place: Place, localRoot: string): readonly string[] {
  const endpoint = place.endpoint === null ? '' : ` --endpoint-url ${shellWord(place.endpoint)}`
  return [
    `export AWS_ACCESS_KEY_ID="$(cut -d: -f1 ${fileName})" AWS_SECRET_ACCESS_KEY="$(cut -d: -f2- ${fileName})" AWS_DEFAULT_REGION=${shellWord(place.region)}`,
    `aws s3 sync${endpoint} ${shellWord(`s3://${place.bucket}/${place.prefix}`)} ${shellWord(localRoot)}`,
  ]
}

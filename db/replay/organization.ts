import type { Pool } from 'pg'

/** The id of the organization with this slug. Throws a sentence when there is none. */
export async function findOrganization(pool: Pool, slug: string): Promise<number> {
  const result = await pool.query<{ id: number }>(
    'SELECT id FROM public.organizations WHERE slug = $1 AND deleted_at IS NULL',
    [slug],
  )
  const [organization] = result.rows
  if (!organization) {
    throw new Error(`There is no organization "${slug}": expected the slug of one, as fleet files give it.`)
  }
  return organization.id
}

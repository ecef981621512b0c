package bundle

import "regexp"

// astraHost matches the host names of Astra databases, such as 00000000-0000-0000-0000-000000000000-us-east1.db.astra.datastax.com. Custom domains
// keep the first label.
var astraHost = regexp.MustCompile(`(?i)^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([a-z0-9-]+)\.`)

// DatabaseID is the ID of the database, a UUID, where the bundle's host name tells it, else empty.
func (b *Bundle) DatabaseID() string { return b.hostPart(1) }

// Region is the cloud provider's name of the database's region, such as "us-east1", where the bundle's host name tells it, else empty.
func (b *Bundle) Region() string { return b.hostPart(2) }

func (b *Bundle) hostPart(group int) string {
	match := astraHost.FindStringSubmatch(b.Host())
	if match == nil {
		return ""
	}
	return match[group]
}

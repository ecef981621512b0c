// Package devops is a client of Astra's DevOps API, for what a program that speaks CQL to Astra DB needs of it: from the name of a
// database to its Secure Connect Bundle, the status of a database, and the life of an application token.
//
// Start with [NewClient], then [Client.DownloadBundle], or [Client.Bundle] for a bundle.Source that astra.Config takes.
//
// # The token
//
// The DevOps API wants a token whose role may administer: Database Administrator or Organization Administrator have all that this
// package uses. A service that only reads and writes rows needs no such token and should not have one: give it a bundle (download it once,
// with examples/download-bundle) and a token of a lesser role. For the same reason token.EnvDevOps reads variables of its own before
// those that token.Env reads.
//
// The token goes in the header of a request to [Config.BaseURL] and, in [Client.Resume] alone, to the Data API of the database. It goes
// nowhere else: redirects are not followed, and bundles are downloaded without it.
//
// # Bundles
//
// A bundle is of one region of a database, and of one network:
//
//	BundleKind                  key of the API                            for clients
//	KindPublic (zero)           downloadURL                               on the Internet
//	KindInternal                downloadURLInternal                       behind VPC peering or a private link
//	KindMigrationProxy          downloadURLMigrationProxy                 that go through the migration proxy, on the Internet
//	KindMigrationProxyInternal  downloadURLMigrationProxyInternal         the same, behind VPC peering or a private link
//
// Beware of the word external: in Astra's portal it has stood for VPC peering, in the API's documentation for the Internet. This package
// does not use it. The API names links of the last two kinds also where there is no such bundle; their download fails with [ErrNotFound].
// A database with custom domains has further bundles, one a region and domain, of KindPublic only.
//
// The link to a bundle lives for five minutes and opens the database's network to whoever has it, so links are secrets: nothing in this package
// prints one. The bundle itself does not expire.
//
// # Retries
//
// Calls that only read, the request for bundle links and the download among them, are repeated after errors of the network and the statuses
// 408, 429, 500, 502, 503 and 504: up to Config.MaxAttempts times, after random waits that grow from at most 0.25 s to at most 8 s, or after
// what the header Retry-After says. An answer is waited for 30 s at most. The context of a call bounds it with all its attempts and waits.
// Calls that change something are sent once.
//
// # What this package leaves out
//
// Databases are created, resized and terminated, and rows are read and written without CQL, by Astra's own Go client,
// github.com/datastax/astra-db-go; [Client.DataAPIEndpoint] and [SetDataAPIToken] give what it takes. The tokens
// of the Stargate APIs (a user name and password in, a header X-Cassandra-Token out) ended with those APIs in 2025.
package devops

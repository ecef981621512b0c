package main

// claim is one of docs/assumptions.md.
type claim struct {
	name, means string
	unseen      string // why this program does not look at it; empty: it does
}

var claims = []claim{
	{name: "bundle-entries", means: "the bundle has eight entries at its root"},
	{name: "bundle-config", means: "config.json has host and port"},
	{name: "bundle-certificates", means: "the bundle's certificates and stores belong together and are valid"},
	{name: "bundle-one-region", means: "a bundle leads to one region", unseen: "needs a second bundle"},

	{name: "metadata-path", means: "the metadata service is at /metadata"},
	{name: "metadata-version", means: "no version has to be asked for"},
	{name: "metadata-status", means: "it answers 200"},
	{name: "metadata-fields", means: "its answer has the fields that drivers read"},
	{name: "region-is-local-dc", means: "region and local_dc are the same"},
	{name: "local-dc-of-nodes", means: "local_dc is the nodes' data_center"},
	{name: "contact-points-local", means: "contact_points names local nodes only"},
	{name: "contact-points-complete", means: "contact_points names all local nodes"},
	{name: "contact-points-are-host-ids", means: "contact_points are UUIDs that the proxy knows"},
	{name: "contact-points-lower-case", means: "contact_points are in lower case"},
	{name: "contact-points-not-empty", means: "there is a contact point"},
	{name: "metadata-is-current", means: "changes are told within moments", unseen: "needs nodes that are replaced"},
	{name: "hibernated-is-silent", means: "a hibernated database's metadata service does not answer", unseen: "needs a hibernated database"},

	{name: "server-name-is-host-id", means: "the TLS server name decides which node answers"},
	{name: "host-id-of-system-local", means: "system tables have the same host IDs"},
	{name: "unknown-host-id-refused", means: "the proxy refuses host IDs that it does not know"},
	{name: "proxy-name", means: "the proxy has the name of the bundle's host"},
	{name: "proxy-port", means: "sni_proxy_address has a port, which is cql_port"},
	{name: "proxy-addresses", means: "the name has several addresses, and each serves"},
	{name: "certificate-san", means: "certificates have the name as a subject alternative name"},
	{name: "certificate-ca", means: "certificates are signed by the bundle's authority"},
	{name: "root-not-sent", means: "servers do not send the authority's certificate"},
	{name: "client-certificate", means: "the client certificate is asked for"},
	{name: "tls-1.3", means: "TLS 1.3 is offered"},
	{name: "session-tickets", means: "TLS sessions can be resumed"},
	{name: "idle-cut", means: "idle connections are cut, after more than 5 s"},
	{name: "remote-not-routable", means: "the proxy does not know nodes of other datacenters"},

	{name: "protocol-v4", means: "nodes speak version 4"},
	{name: "protocol-v5-refused", means: "nodes refuse version 5 by an error on stream 0"},
	{name: "product-type", means: "SUPPORTED has PRODUCT_TYPE DATASTAX_APOLLO"},
	{name: "compression", means: "compression is not demanded"},
	{name: "authenticator", means: "the authenticator is AstraAuthenticator"},
	{name: "plain-token", means: "SASL PLAIN with the token is accepted"},
	{name: "refusal-code", means: "a token that does not exist is refused with 0x0100"},
	{name: "revoked-token-connections", means: "connections of a revoked token live on", unseen: "needs a token to be revoked"},
	{name: "peers-v2-missing", means: "system.peers_v2 is refused with 0x2200"},
	{name: "peers-tell-all", means: "system.peers has what drivers need"},
	{name: "rpc-address-unique", means: "each node has an rpc_address of its own"},
	{name: "rpc-address-private", means: "rpc_address is in a private network"},
	{name: "events", means: "REGISTER is accepted"},
	{name: "murmur3", means: "the partitioner is Murmur3"},
	{name: "tokens", means: "nodes tell tokens"},
	{name: "release-4.0", means: "release_version begins with 4.0"},
	{name: "cluster-name", means: "cluster_name is cndb"},
	{name: "schema-agreement", means: "nodes agree on the schema"},

	{name: "reads", means: "a session opens and each node answers reads"},
	{name: "write-consistency", means: "writes at ANY, ONE and LOCAL_ONE are refused", unseen: "needs a write"},
	{name: "overloaded", means: "beyond the rate limit statements are refused with 0x1001", unseen: "needs more load than is polite"},
	{name: "refused-statements", means: "some statements are refused", unseen: "needs changes of the schema"},
	{name: "devops", means: "the DevOps API answers as its specification says", unseen: "is not asked for more than the bundle"},
}

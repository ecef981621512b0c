// Package conformance holds the proof that drivers written against the real Astra work against the simulated one, with the bundles that it
// writes. It has no code of its own: see its tests, which run with the build tag integration and write docs/compatibility.md, and the
// programs in clients.
package conformance

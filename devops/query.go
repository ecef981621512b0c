package devops

import (
	"fmt"
	"slices"
	"strings"
)

// BundleQuery says which bundle of a database is meant. The zero value: that of the primary region, for clients on the Internet.
type BundleQuery struct {
	Region string     // such as "us-east1", in any case; empty: the primary region
	Domain string     // a custom domain; empty: Astra's own
	Kind   BundleKind // must be KindPublic with a Domain
}

// choose returns the one link that the query means. It never guesses.
func (q BundleQuery) choose(op string, all []BundleLink) (BundleLink, error) {
	if q.Kind < 0 || q.Kind >= kinds {
		return BundleLink{}, &Error{Op: op, Message: fmt.Sprintf("there is no %v", q.Kind)}
	}
	if q.Domain != "" && q.Kind != KindPublic {
		return BundleLink{}, &Error{Op: op, Message: fmt.Sprintf("a custom domain has no bundle of the kind %v, only %v", q.Kind, KindPublic)}
	}
	var domains, regions []string
	var inDomain, found []BundleLink
	for _, l := range all {
		if l.Domain != "" {
			domains = append(domains, l.Domain)
		}
		if strings.EqualFold(l.Domain, q.Domain) {
			inDomain = append(inDomain, l)
		}
	}
	for _, l := range inDomain {
		regions = append(regions, orUnknown(l.Region))
		if q.Region == "" && l.Primary || q.Region != "" && strings.EqualFold(l.Region, q.Region) {
			found = append(found, l)
		}
	}
	what := "this database"
	if q.Domain != "" {
		what = "the domain " + tidy(q.Domain)
	}
	switch {
	case len(inDomain) == 0 && q.Domain == "":
		return BundleLink{}, notFound(op, "there are bundles only for the custom domains %s; name one of them", join(domains))
	case len(inDomain) == 0:
		return BundleLink{}, notFound(op, "there is no bundle for the domain %s; there are: %s", tidy(q.Domain), join(domains))
	case len(found) == 0 && q.Region != "":
		return BundleLink{}, notFound(op, "%s has no bundle in the region %s; there are: %s", what, tidy(q.Region), join(regions))
	case len(found) != 1:
		return BundleLink{}, &Error{Op: op, Message: fmt.Sprintf("%s has %d bundles, and the API does not say which is the primary region's: %s", what, len(inDomain), join(regions)), err: ErrAmbiguous, advice: "name a region"}
	case found[0].URL(q.Kind) == "":
		return BundleLink{}, notFound(op, "the API gives no link of the kind %v in the region %s", q.Kind, orUnknown(found[0].Region))
	}
	return found[0], nil
}

func notFound(op, format string, args ...any) *Error {
	return &Error{Op: op, Message: fmt.Sprintf(format, args...), err: ErrNotFound}
}

func orUnknown(region string) string {
	if region == "" {
		return "(unknown)"
	}
	return tidy(region)
}

// join lists names out of an answer.
func join(names []string) string {
	const most = 50
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = tidy(name)
	}
	return strings.Join(shown, ", ") + more
}

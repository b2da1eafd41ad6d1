package elastic

// cci is Huawei Cloud's Cloud Container Instance in a CCE cluster. Which marks
// of virtual-kubelet its nodes carry is not documented; the names are
// (usermanual-cci2/cci_01_0040): one node for all zones, and at will one for
// each, with the zone behind the dash. The pattern spells a zone out, because
// people call machines bursting-node-1. How a sold-out pod looks is not documented.
var cci = Provider{
	Name:  "cci",
	Names: []string{"bursting-node", "bursting-node-*-*-[0-9][a-z]"},
}

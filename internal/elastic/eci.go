package elastic

// eci is Alibaba Cloud's Elastic Container Instance in an ACK cluster. Its
// label and its taint's key are those of every virtual-kubelet, which leaves
// the names: one node per zone, such as virtual-kubelet-cn-hangzhou-i in the
// vendor's page on elastic workloads, and virtual-kubelet-ap-southeast-5a in a
// user's listing. Other regions have not been seen, and are only known as
// virtual-kubelet. The vendor's ACS gives its nodes the same names. JD Cloud's
// zones have a digit where these have a dash (virtual-kubelet-cn-east-2a).
var eci = Provider{
	Name:  "eci",
	Names: []string{"virtual-kubelet-cn-*-[a-z]", "virtual-kubelet-ap-*-[0-9][a-z]"},
}

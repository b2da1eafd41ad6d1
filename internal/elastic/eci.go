package elastic

import corev1 "k8s.io/api/core/v1"

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

	Refusals: eciRefusals,
	Notices:  eciNotices,
}

// eciRefusals stand in a condition of ECI's own. Its reasons come with a prefix
// ("ContainerGroup.NoStock" in the vendor's page on eci-fail-strategy). By
// default such a pod stays Pending and ECI keeps trying; with the strategy
// fail-fast the reason of the pod tells as well. The condition is looked at
// first, because only there stands what was missing. Creating, and mistakes in
// the pod such as a wrong instance type, are no refusals.
var eciRefusals = []Sign{
	{
		Condition: "ContainerInstanceCreated",
		Status:    corev1.ConditionFalse,
		Reasons:   []string{"NoStock", "StockExhaust", "StockClose"},
	},
	{Reasons: []string{"ContainerInstanceScheduleFailed"}},
}

// eciNotices is the condition that ack-virtual-node 2.11.0 and later set with
// the event SpotToBeReleased, about three minutes before a spot instance goes.
// Whether the event's name is the condition's reason is not documented, and not needed.
var eciNotices = []Sign{
	{Condition: "ContainerInstanceExpired", Status: corev1.ConditionTrue},
}

// SPDX-License-Identifier: Apache-2.0

package wire

// HandleResolution is ASAP_HANDLE_RESOLUTION (RFC 5352 2.2.5): which elements has this pool?
type HandleResolution struct {
	Subscribe bool // the S flag: send updates for as long as the association lives
	Pool      PoolHandle
	// Items is the number of elements wanted: rsplib's private parameter 0x803f, nil if absent. It takes 0 as 3.
	Items *uint32
}

// Type is TypeHandleResolution.
func (*HandleResolution) Type() MessageType { return TypeHandleResolution }

// HandleResolutionResponse is ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 2.2.6). It is negative if it has causes, and then
// has neither a policy nor elements; otherwise it is positive, and then has at least one element.
type HandleResolutionResponse struct {
	Accepted bool // the A flag: updates will be sent
	Pool     PoolHandle
	Policy   *Policy // the pool's policy; nil means round robin
	Elements []PoolElement
	Causes   []ErrorCause
}

// Type is TypeHandleResolutionResponse.
func (*HandleResolutionResponse) Type() MessageType { return TypeHandleResolutionResponse }

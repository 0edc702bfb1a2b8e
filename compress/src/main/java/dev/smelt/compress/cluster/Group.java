package dev.smelt.compress.cluster;

import java.util.List;
import java.util.Optional;

/**
 * Members that were put together.
 *
 * @param lower what their best basis of r directions leaves at least, as a share of τ²
 * @param upper and at most
 * @param ledger of a cluster that grew by a truncated sum
 */
record Group(List<Member> members, double lower, double upper, Optional<Ledger> ledger) {

  Group {
    members = List.copyOf(members);
  }
}

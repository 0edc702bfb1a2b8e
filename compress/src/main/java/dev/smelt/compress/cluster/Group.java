package dev.smelt.compress.cluster;

import java.util.List;

/**
 * Members that were put together.
 *
 * @param lower what their best basis of r directions leaves at least, as a share of τ²
 * @param upper and at most
 */
record Group(List<Member> members, double lower, double upper) {

  Group {
    members = List.copyOf(members);
  }
}

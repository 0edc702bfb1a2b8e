package dev.smelt.compress.testing;

import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;

/** The CPU with one thread: the same digits on every machine. Shared by all tests of the JVM. */
public final class TestDevice {

  private static final ComputeDevice DEVICE = ComputeDevice.open(DeviceChoice.CPU, 1);

  private TestDevice() {}

  public static ComputeDevice get() {
    return DEVICE;
  }
}

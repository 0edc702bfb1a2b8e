package dev.smelt.gpu.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.UsageException;
import dev.smelt.formats.work.Workers;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComputeDeviceTest {

  @ParameterizedTest
  @ValueSource(strings = {"auto", "cpu", "gpu:0", "gpu:12"})
  void readsBackWhatItWrites(String text) {
    assertThat(DeviceChoice.parse(text)).hasToString(text);
  }

  @Test
  void takesTheFirstGpuWithoutAnIndex() {
    assertThat(DeviceChoice.parse("gpu")).isEqualTo(DeviceChoice.parse("gpu:0"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "GPU", "cuda", "gpu:", "gpu:-1", "gpu:1x", "cpu:0", "gpu:99999"})
  void refusesOtherDevices(String text) {
    assertThatThrownBy(() -> DeviceChoice.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessage("no such device '" + text + "'; use auto, cpu, gpu or gpu:i");
  }

  @Test
  void opensTheCpu() {
    try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, 1);
        LinearAlgebra algebra = device.linearAlgebra()) {
      assertThat(device.isGpu()).isFalse();
      assertThat(device.description()).isEqualTo("CPU, 1 thread");
      assertThat(device.info().threads()).isEqualTo(1);
      assertThat(device.info().flavour()).contains(device.info().engineVersion());
      Matrix two = algebra.matrix(1, 1, new double[] {2});
      assertThat(algebra.multiply(two, two).toDoubles()).containsExactly(4);
    }
  }

  @Test
  void givesTheSameResultsInJobsAtATimeAsOneByOne() {
    double[] values = KernelContract.random(40, 30, 3);
    try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, 1)) {
      try (ComputeDevice two = ComputeDevice.open(DeviceChoice.CPU, 2)) {
        assertThat(spectra(two, values, 2)).isDeepEqualTo(spectra(device, values, 9));
      }
    }
  }

  private static double[][] spectra(ComputeDevice device, double[] values, int concurrent) {
    double[][] spectra = new double[4][];
    List<Workers.Job> jobs = new ArrayList<>();
    for (int i = 0; i < spectra.length; i++) {
      int place = i;
      jobs.add(
          () -> {
            try (LinearAlgebra algebra = device.linearAlgebra()) {
              spectra[place] = algebra.svd(algebra.matrix(40, 30, values)).s();
            }
          });
    }
    device.runAll(jobs, concurrent);
    return spectra;
  }

  @Test
  void refusesGpusThatAreNotThere() {
    assertThatThrownBy(() -> ComputeDevice.open(new DeviceChoice(DeviceChoice.Kind.GPU, 9999), 1))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no device gpu:9999")
        .hasMessageContaining("GPUs");
  }

  @Test
  void refusesNoThreads() {
    assertThatThrownBy(() -> ComputeDevice.open(DeviceChoice.CPU, 0))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("0 threads");
  }
}

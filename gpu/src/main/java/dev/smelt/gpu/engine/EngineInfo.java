package dev.smelt.gpu.engine;

/**
 * What runs underneath, for manifests and {@code smelt doctor}.
 *
 * @param djlVersion version of the Java binding
 * @param engineVersion version of PyTorch
 * @param flavour the native build, such as "2.7.1-cpu-linux-x86_64"
 * @param gpus GPUs that this build can use
 * @param threads threads inside one operator; changes the last digits of results
 */
public record EngineInfo(
    String djlVersion, String engineVersion, String flavour, int gpus, int threads) {}

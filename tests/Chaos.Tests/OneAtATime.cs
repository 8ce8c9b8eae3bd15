// Every test here starts many processes, and more at a time than the machine has cores would only wait for each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]

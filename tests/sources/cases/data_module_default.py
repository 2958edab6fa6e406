from cpgpt.data.cpgpt_datamodule import CpGPTDataModule

module = CpGPTDataModule(train_dir="data", dependencies_dir="dependencies/human")  #> 602=error@MWF
